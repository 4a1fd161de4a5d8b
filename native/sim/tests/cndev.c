/* The simulated libcndev.so: codes, versions, and what it tells of cards. */
#include "cndev_abi.h"

#include "boardcheck.h"

#define VARIABLE "HETERO_SIM_CNDEV"
#define UUID "10001012-1916-0000-0000-000000000000"
#define CARDS                                                                                       \
	"[card]\nuuid = " UUID "\nname = MLU590-M9\nmemory_mib = 80675\nmemory_used_mib = 100\n"    \
	"pci = 0000:1a:00.0\nnuma = 1\nsn = 0x5001\nmotherboard_sn = 0x70\ncores = 48\nclusters = 12\n" \
	"processes = 41:100:7, 42:3:0\nlinks = 1, 1, -, x\n"                                        \
	"[card]\nuuid = 20001012-1916-0000-0000-000000000000\nname = MLU590-M9\nmemory_mib = 80675\n" \
	"pci = 0000:1b:00.0\nnuma = 1\nsn = 0x5001\nlinks = 0, 0, -, -\n"                           \
	"[card]\nuuid = 30001012-1916-0000-0000-000000000000\nname = MLU370-S4\nmemory_mib = 24576\n" \
	"numa = 0\nmim_supported = off\n"

static void nothing_works_before_it_is_started(void)
{
	cndevCardInfo_t info = {.version = CNDEV_VERSION};
	setenv(VARIABLE, "/nonexistent", 1);
	EXPECT(CNDEV_ERROR_NO_DRIVER, cndevInit(0));
	setenv(VARIABLE, board_directory, 1);
	EXPECT(CNDEV_ERROR_UNINITIALIZED, cndevGetDeviceCount(&info));
	EXPECT(CNDEV_ERROR_UNINITIALIZED, cndevRelease());
	EXPECT(CNDEV_ERROR_INVALID_ARGUMENT, cndevInit(1));
	OK(cndevInit(0));
	OK(cndevGetDeviceCount(&info));
	EXPECT(3, info.number);
	EXPECT_TEXT("in use", cndevGetErrorString(CNDEV_ERROR_IN_USE));
	EXPECT_TEXT("unknown code", cndevGetErrorString((cndevRet_t)99));
}

static void structs_of_other_versions_are_refused(void)
{
	cndevCardInfo_t info = {.version = 7};
	cndevUUID_t uuid = {.version = 4};
	cndevMemoryInfoV2_t memory;
	EXPECT(CNDEV_ERROR_UNSUPPORTED_API_VERSION, cndevGetDeviceCount(&info));
	EXPECT(CNDEV_ERROR_UNSUPPORTED_API_VERSION, cndevGetUUID(&uuid, 0));
	uuid.version = 5;
	OK(cndevGetUUID(&uuid, 0));
	EXPECT_TEXT(UUID, (char *)uuid.uuid);
	OK(cndevGetMemoryUsageV2(&memory, 0));
	EXPECT(80675, memory.physicalMemoryTotal);
	EXPECT(100, memory.physicalMemoryUsed);
}

static void arguments_are_checked(void)
{
	cndevDevice_t device;
	EXPECT(CNDEV_ERROR_INVALID_DEVICE_ID, cndevGetDeviceHandleByIndex(3, &device));
	EXPECT(CNDEV_ERROR_INVALID_DEVICE_ID, cndevGetDeviceHandleByIndex(-1, &device));
	EXPECT(CNDEV_ERROR_INVALID_ARGUMENT, cndevGetDeviceHandleByIndex(0, NULL));
	EXPECT(CNDEV_ERROR_INVALID_ARGUMENT, cndevGetUUID(NULL, 0));
	EXPECT(CNDEV_ERROR_NOT_FOUND, cndevGetDeviceHandleByUUID("none", &device));
	OK(cndevGetDeviceHandleByUUID("20001012-1916-0000-0000-000000000000", &device));
	EXPECT(1, device);
	OK(cndevGetDeviceHandleByPciBusId("0000:1A:00.0", &device));
	EXPECT(0, device);
	EXPECT(true, cndevGetCardNameStringByDevId(9) == NULL);
}

static void a_card_says_what_it_is(void)
{
	cndevCardName_t name = {.version = CNDEV_VERSION};
	cndevCardSN_t sn = {.version = CNDEV_VERSION};
	cndevPCIeInfoV2_t pci;
	cndevNUMANodeId_t node = {.version = CNDEV_VERSION};
	cndevCardCoreCount_t cores = {.version = CNDEV_VERSION};
	cndevVersionInfo_t version = {.version = CNDEV_VERSION};
	cndevMimMode_t mim = {.version = CNDEV_VERSION};
	uint32_t major, minor, build;
	EXPECT_TEXT("MLU590-M9", cndevGetCardNameStringByDevId(0));
	OK(cndevGetCardName(&name, 0));
	EXPECT(26, name.id);
	OK(cndevGetCardSN(&sn, 0));
	EXPECT(0x5001, sn.sn);
	OK(cndevGetPCIeInfoV2(&pci, 1));
	EXPECT(0xcabc, pci.vendor);
	EXPECT(0x1b, pci.bus);
	OK(cndevGetNUMANodeIdByDevId(&node, 0));
	EXPECT(1, node.nodeId);
	OK(cndevGetCoreCount(&cores, 0));
	EXPECT(48, cores.count);
	OK(cndevGetVersionInfo(&version, 0));
	EXPECT(29, version.driverBuildVersion);
	OK(cndevGetDriverVersion(&major, &minor, &build));
	EXPECT(51029, major * 10000 + minor * 100 + build);
	OK(cndevGetMimMode(&mim, 0));
	EXPECT(0, mim.mimMode);
	EXPECT(CNDEV_ERROR_NOT_SUPPORTED, cndevGetMimMode(&mim, 2));
}

static void too_little_room_tells_how_much_it_takes(void)
{
	cndevProcessInfo_t processes[2] = {{.version = CNDEV_VERSION}};
	cndevProcessUtilization_t use[2] = {{.version = CNDEV_VERSION}};
	uint32_t count = 1;
	EXPECT(CNDEV_ERROR_INSUFFICIENT_SPACE, cndevGetProcessInfo(&count, processes, 0));
	EXPECT(2, count);
	OK(cndevGetProcessInfo(&count, processes, 0));
	EXPECT(42, processes[1].pid);
	EXPECT(100 * 1024, processes[0].physicalMemoryUsed);
	OK(cndevGetProcessUtilization(&count, use, 0));
	EXPECT(7, use[0].ipuUtil);
	count = 0;
	OK(cndevGetProcessInfo(&count, NULL, 1));
	EXPECT(0, count);
}

static void links_are_ports_and_the_tree(void)
{
	cndevMLULinkStatusV2_t status;
	cndevMLULinkRemoteInfo_t remote = {.version = CNDEV_VERSION};
	cndevTopologyRelationship_t relationship = {.version = CNDEV_VERSION};
	EXPECT(4, cndevGetMLULinkPortNumber(0));
	EXPECT(0, cndevGetMLULinkPortNumber(2));
	OK(cndevGetMLULinkStatusV2(&status, 0, 1));
	EXPECT(CNDEV_MAC_UP, status.macState);
	OK(cndevGetMLULinkStatusV2(&status, 0, 2));
	EXPECT(CNDEV_MAC_DOWN, status.macState);
	EXPECT(CNDEV_ERROR_INVALID_LINK, cndevGetMLULinkStatusV2(&status, 0, 4));
	OK(cndevGetMLULinkRemoteInfo(&remote, 0, 0));
	EXPECT_TEXT("20001012-1916-0000-0000-000000000000", (char *)remote.uuid);
	OK(cndevGetMLULinkRemoteInfo(&remote, 0, 3));
	EXPECT_TEXT("ffffffff-0000-0000-0000-000000000000", (char *)remote.uuid);
	OK(cndevTopologyGetRelationship(&relationship, 0, 1));
	EXPECT(CNDEV_TOPOLOGY_INTERNAL, relationship.relation);
	OK(cndevTopologyGetRelationship(&relationship, 0, 2));
	EXPECT(CNDEV_TOPOLOGY_SYSTEM, relationship.relation);
	OK(cndevTopologyGetRelationship(&relationship, 2, 2));
	EXPECT(CNDEV_TOPOLOGY_SELF, relationship.relation);
	EXPECT(CNDEV_ERROR_INVALID_DEVICE_ID, cndevTopologyGetRelationship(&relationship, 0, 3));
}

static void use_health(const char *key, const char *value)
{
	char text[2048];
	snprintf(text, sizeof text, CARDS "%s = %s\n", key, value);
	write_board("cards.conf", text);
}

static void accidents_are_noticed(void)
{
	static cndevCardHealthStateV2_t second;
	cndevCardHealthState_t first = {.version = CNDEV_VERSION};
	cndevComputeMode_t mode = {.version = CNDEV_VERSION};
	cndevUUID_t uuid = {.version = CNDEV_VERSION};
	OK(cndevGetCardHealthStateV2(&second, 2));
	EXPECT(CNDEV_HEALTH_PASS, second.overallHealth);
	EXPECT(CNDEV_DRIVER_RUNNING, second.driverState);
	use_health("health", "fail:memory is worn out");
	OK(cndevGetCardHealthStateV2(&second, 2));
	EXPECT(CNDEV_HEALTH_FAIL, second.overallHealth);
	EXPECT(0, second.deviceState);
	EXPECT_TEXT("memory is worn out", second.incidents[0].error.msg);
	OK(cndevGetCardHealthState(&first, 2));
	EXPECT(0, first.deviceState);
	use_health("health", "warn:hot");
	OK(cndevGetCardHealthStateV2(&second, 2));
	EXPECT(1, second.deviceState);
	EXPECT(CNDEV_HEALTH_WARN, second.overallHealth);
	use_health("health", "lost");
	EXPECT(CNDEV_ERROR_IN_PROBLEM, cndevGetUUID(&uuid, 2));
	OK(cndevGetUUID(&uuid, 1));
	use_health("compute_mode", "2");
	OK(cndevGetComputeMode(&mode, 2));
	EXPECT(2, mode.mode);
	write_board("cards.conf", CARDS);
}

static void what_it_does_can_be_watched(void)
{
	cndevTemperatureInfo_t temperature = {.version = CNDEV_VERSION};
	cndevDevicePowerInfo_t power;
	cndevUtilizationInfo_t utilization = {.version = CNDEV_VERSION};
	use_health("temperature = 71\npower = 250\nutilization", "93");
	OK(cndevGetTemperatureInfo(&temperature, 2));
	EXPECT(71, temperature.chip);
	OK(cndevGetDevicePowerInfo(&power, 2));
	EXPECT(250, power.usage);
	OK(cndevGetDeviceUtilizationInfo(&utilization, 2));
	EXPECT(93, utilization.averageCoreUtilization);
	write_board("cards.conf", CARDS);
}

static void faults_come_on_demand(void)
{
	cndevCardInfo_t info = {.version = CNDEV_VERSION};
	cndevUUID_t uuid = {.version = CNDEV_VERSION};
	write_board("faults", "cndevGetDeviceCount 1 fail 18\ncndevGetUUID * garbage\n");
	EXPECT(CNDEV_ERROR_IN_PROBLEM, cndevGetDeviceCount(&info));
	OK(cndevGetDeviceCount(&info));
	OK(cndevGetUUID(&uuid, 0));
	EXPECT(0xff, uuid.uuid[36]);
	write_board("faults", "");
}

int main(void)
{
	use_board(VARIABLE, CARDS);
	nothing_works_before_it_is_started();
	structs_of_other_versions_are_refused();
	arguments_are_checked();
	a_card_says_what_it_is();
	too_little_room_tells_how_much_it_takes();
	links_are_ports_and_the_tree();
	accidents_are_noticed();
	what_it_does_can_be_watched();
	faults_come_on_demand();
	OK(cndevRelease());
	remove_board();
	return 0;
}
