/* The management library: identity, places, links, modes, faults, and the layout of its structures. */
#include <stddef.h>

#include "check.h"

/* Sizes and offsets that a program compiled against the vendor's header relies on. */
_Static_assert(sizeof(nvmlMemory_t) == 24, "nvmlMemory_t");
_Static_assert(sizeof(nvmlMemory_v2_t) == 40, "nvmlMemory_v2_t");
_Static_assert(offsetof(nvmlMemory_v2_t, used) == 32, "nvmlMemory_v2_t.used");
_Static_assert(nvmlMemory_v2 == (sizeof(nvmlMemory_v2_t) | 2 << 24), "nvmlMemory_v2");
_Static_assert(sizeof(nvmlUtilization_t) == 8, "nvmlUtilization_t");
_Static_assert(sizeof(nvmlPciInfo_t) == 68, "nvmlPciInfo_t");
_Static_assert(offsetof(nvmlPciInfo_t, busId) == 36, "nvmlPciInfo_t.busId");
_Static_assert(sizeof(nvmlProcessInfo_v1_t) == 16, "nvmlProcessInfo_v1_t");
_Static_assert(sizeof(nvmlProcessInfo_v2_t) == 24, "nvmlProcessInfo_v2_t");
_Static_assert(offsetof(nvmlProcessInfo_v2_t, gpuInstanceId) == 16, "nvmlProcessInfo_v2_t.gpuInstanceId");
_Static_assert(sizeof(nvmlProcessUtilizationSample_t) == 32, "nvmlProcessUtilizationSample_t");
_Static_assert(offsetof(nvmlProcessUtilizationSample_t, smUtil) == 16, "nvmlProcessUtilizationSample_t.smUtil");
_Static_assert(sizeof(nvmlEventData_t) == 32, "nvmlEventData_t");
_Static_assert(offsetof(nvmlEventData_t, eventType) == 8, "nvmlEventData_t.eventType");
_Static_assert(sizeof(CUmemAllocationProp) == 32, "CUmemAllocationProp");

#define LINKED_A CARD_A "nvlink = 1,1\ncompute_major = 9\ncompute_minor = 0\n"
#define LINKED_B CARD_B "nvlink = 0,0\ncompute_major = 9\ncompute_minor = 0\nmig_mode = 1\n"
#define VERSIONS "driver_version = 580.159.04\ncuda_version = 13.0\n"

static nvmlDevice_t card(unsigned index)
{
	nvmlDevice_t device;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(index, &device));
	return device;
}

static void calls_outside_init_and_shutdown_are_refused(void)
{
	unsigned count;
	EXPECT(NVML_ERROR_UNINITIALIZED, nvmlDeviceGetCount_v2(&count));
	EXPECT(NVML_ERROR_UNINITIALIZED, nvmlShutdown());
	OK(nvmlInit_v2());
	OK(nvmlInitWithFlags(0));
	OK(nvmlShutdown());
	OK(nvmlDeviceGetCount_v2(&count));
	EXPECT(2, count);
	OK(nvmlShutdown());
	EXPECT(NVML_ERROR_UNINITIALIZED, nvmlDeviceGetCount_v2(&count));
}

static void versions_come_from_the_machine(void)
{
	char text[80], little[4];
	int version;
	OK(nvmlInit_v2());
	OK(nvmlSystemGetDriverVersion(text, sizeof text));
	EXPECT_TEXT("580.159.04", text);
	EXPECT(NVML_ERROR_INSUFFICIENT_SIZE, nvmlSystemGetDriverVersion(little, sizeof little));
	OK(nvmlSystemGetNVMLVersion(text, sizeof text));
	EXPECT_TEXT("13.580.159.04", text);
	OK(nvmlSystemGetCudaDriverVersion_v2(&version));
	EXPECT(13000, version);
}

static void a_card_is_found_by_index_uuid_and_place(void)
{
	nvmlDevice_t second = card(1), found;
	char text[96];
	unsigned number;
	OK(nvmlDeviceGetUUID(second, text, sizeof text));
	OK(nvmlDeviceGetHandleByUUID(text, &found));
	EXPECT(true, found == second);
	OK(nvmlDeviceGetHandleByPciBusId_v2("00000000:AF:00.0", &found));
	EXPECT(true, found == second);
	OK(nvmlDeviceGetHandleByPciBusId_v2("0000:af:00.0", &found));
	EXPECT(true, found == second);
	OK(nvmlDeviceGetMinorNumber(second, &number));
	EXPECT(1, number);
	OK(nvmlDeviceGetIndex(second, &number));
	EXPECT(1, number);
	OK(nvmlDeviceGetNumaNodeId(second, &number));
	EXPECT(1, number);
	EXPECT(NVML_ERROR_NOT_FOUND, nvmlDeviceGetHandleByUUID("GPU-none", &found));
	EXPECT(NVML_ERROR_NOT_FOUND, nvmlDeviceGetHandleByPciBusId_v2("0000:01:00.0", &found));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetHandleByIndex_v2(2, &found));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetName((nvmlDevice_t)&found, text, sizeof text));
}

static void both_spellings_of_a_place_are_upper_case(void)
{
	nvmlPciInfo_t pci;
	OK(nvmlDeviceGetPciInfo_v3(card(0), &pci));
	EXPECT_TEXT("00000000:3B:00.0", pci.busId);
	EXPECT_TEXT("0000:3B:00.0", pci.busIdLegacy);
	EXPECT(0x3b, pci.bus);
}

static void the_version_word_of_a_structure_is_checked(void)
{
	nvmlMemory_v2_t memory = {.version = nvmlMemory_v2};
	OK(nvmlDeviceGetMemoryInfo_v2(card(0), &memory));
	EXPECT(1024 * MIB, memory.total);
	memory.version = 1;
	EXPECT(NVML_ERROR_ARGUMENT_VERSION_MISMATCH, nvmlDeviceGetMemoryInfo_v2(card(0), &memory));
}

static void links_lead_to_the_peer(void)
{
	nvmlEnableState_t state;
	nvmlIntNvLinkDeviceType_t type;
	nvmlPciInfo_t pci;
	nvmlGpuTopologyLevel_t level;
	OK(nvmlDeviceGetNvLinkState(card(0), 1, &state));
	EXPECT(NVML_FEATURE_ENABLED, state);
	OK(nvmlDeviceGetNvLinkRemotePciInfo_v2(card(0), 1, &pci));
	EXPECT_TEXT("00000000:AF:00.0", pci.busId);
	OK(nvmlDeviceGetNvLinkRemoteDeviceType(card(0), 0, &type));
	EXPECT(NVML_NVLINK_DEVICE_TYPE_GPU, type);
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlDeviceGetNvLinkState(card(0), 2, &state));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetNvLinkState(card(0), 99, &state));
	OK(nvmlDeviceGetTopologyCommonAncestor(card(0), card(1), &level));
	EXPECT(NVML_TOPOLOGY_SYSTEM, level);
}

static void a_partitioned_card_says_so(void)
{
	unsigned current, pending;
	nvmlUtilization_t utilization;
	OK(nvmlDeviceGetMigMode(card(0), &current, &pending));
	EXPECT(0, current);
	OK(nvmlDeviceGetMigMode(card(1), &current, &pending));
	EXPECT(1, current);
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlDeviceGetUtilizationRates(card(1), &utilization));
}

static void a_fault_is_delivered_once_and_again_after_recovery(void)
{
	nvmlEventSet_t set;
	nvmlEventData_t data;
	nvmlDevice_t first = card(0);
	OK(nvmlEventSetCreate(&set));
	OK(nvmlDeviceRegisterEvents(first, nvmlEventTypeXidCriticalError, set));
	EXPECT(NVML_ERROR_TIMEOUT, nvmlEventSetWait_v2(set, &data, 0));
	write_cards(CARD_A "health = xid:79\n" CARD_B);
	OK(nvmlEventSetWait_v2(set, &data, 5000));
	EXPECT(79, data.eventData);
	EXPECT(nvmlEventTypeXidCriticalError, data.eventType);
	EXPECT(true, data.device == first);
	EXPECT(NVML_ERROR_TIMEOUT, nvmlEventSetWait_v2(set, &data, 0));
	write_cards(CARD_A "health = ok\n" CARD_B);
	EXPECT(NVML_ERROR_TIMEOUT, nvmlEventSetWait_v2(set, &data, 0));
	write_cards(CARD_A "health = xid:79\n" CARD_B);
	OK(nvmlEventSetWait_v2(set, &data, 5000));
	OK(nvmlEventSetFree(set));
	write_cards(VERSIONS LINKED_A LINKED_B);
}

static void a_lost_card_says_so_and_the_other_one_works(void)
{
	nvmlMemory_t memory;
	nvmlDevice_t first = card(0), found;
	CUcontext context;
	OK(cuInit(0));
	write_cards(CARD_A "health = lost\n" CARD_B);
	EXPECT(NVML_ERROR_GPU_IS_LOST, nvmlDeviceGetMemoryInfo(first, &memory));
	EXPECT(NVML_ERROR_GPU_IS_LOST, nvmlDeviceGetHandleByIndex_v2(0, &found));
	OK(nvmlDeviceGetMemoryInfo(card(1), &memory));
	EXPECT(CUDA_ERROR_DEVICE_UNAVAILABLE, cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuDevicePrimaryCtxRetain(&context, 1));
	write_cards(VERSIONS LINKED_A LINKED_B);
}

static void a_card_is_found_by_its_identity_in_either_form(void)
{
	nvmlUUID_t uuid = {.version = nvmlUUID_v1, .type = NVML_UUID_TYPE_ASCII};
	nvmlDevice_t found, expected;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(1, &expected));
	snprintf(uuid.value.str, sizeof uuid.value.str, "GPU-bbbbbbbb-0000-4000-8000-000000000002");
	OK(nvmlDeviceGetHandleByUUIDV(&uuid, &found));
	EXPECT(true, found == expected);
	const unsigned char bytes[16] = {0xbb, 0xbb, 0xbb, 0xbb, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 2};
	uuid.type = NVML_UUID_TYPE_BINARY;
	memcpy(uuid.value.bytes, bytes, sizeof bytes);
	OK(nvmlDeviceGetHandleByUUIDV(&uuid, &found));
	EXPECT(true, found == expected);
	uuid.value.bytes[0] = 0;
	EXPECT(NVML_ERROR_NOT_FOUND, nvmlDeviceGetHandleByUUIDV(&uuid, &found));
	uuid.version++;
	EXPECT(NVML_ERROR_ARGUMENT_VERSION_MISMATCH, nvmlDeviceGetHandleByUUIDV(&uuid, &found));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetHandleByUUIDV(NULL, &found));
	OK(nvmlShutdown());
}

int main(void)
{
	use_machine(VERSIONS LINKED_A LINKED_B);
	in_child(calls_outside_init_and_shutdown_are_refused);
	in_child(versions_come_from_the_machine);
	in_child(a_card_is_found_by_index_uuid_and_place);
	in_child(both_spellings_of_a_place_are_upper_case);
	in_child(the_version_word_of_a_structure_is_checked);
	in_child(links_lead_to_the_peer);
	in_child(a_partitioned_card_says_so);
	in_child(a_fault_is_delivered_once_and_again_after_recovery);
	in_child(a_lost_card_says_so_and_the_other_one_works);
	EXPECT_TEXT("GPU is lost", nvmlErrorString(NVML_ERROR_GPU_IS_LOST));
	in_child(a_card_is_found_by_its_identity_in_either_form);
	remove_machine();
	return 0;
}
