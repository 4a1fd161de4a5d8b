/* The simulated libdcmi.so as its callers see it: numberings, conditions, vNPUs, faults. */
#include "boardcheck.h"
#include "dcmi_abi.h"

static const char cards[] =
	"driver_version = 25.5.0\n"
	"[card]\ncard = 2\ndevice = 0\nlogic = 0\nphy = 4\nchip = 910B3\nmemory = 65536\naicores = 20\naicpus = 7\n"
	"die = 00000001-00000002-00000003-00000004-0000000A\nbus = 0000:c1:00.0\ncpus = 0-23\n"
	"processes = 41:100,42:28\nused = 1000\ntemperature = 45\npower = 932\nutilization = 7\n"
	"[card]\ncard = 3\ndevice = 1\nlogic = 1\nphy = 5\nchip = 910B3\nmemory = 65536\naicores = 20\naicpus = 7\n"
	"vdevices = 2\ntemplates = vir05_1c_16g/16384/5/1/25 vir10_3c_32g/32768/10/3/50\n"
	"[card]\ncard = 3\ndevice = 0\nlogic = 2\nphy = 6\nchip = 310P3\nhbm = off\nmemory = 21527\naicores = 8\n"
	"aicpus = 7\nused = 527\nhealth = 3\nerrors = 0x80E01801,0x80E18005\nvdevices = 8\n"
	"templates = vir01/3072/1/1/12\n";

static int create(unsigned int id, const char *name, unsigned int *made)
{
	struct dcmi_create_vdev_res_stru wanted = {.vdev_id = id, .vfg_id = DCMI_ANY};
	struct dcmi_create_vdev_out out = {0};
	snprintf(wanted.template_name, sizeof wanted.template_name, "%s", name);
	int code = dcmi_create_vdevice(3, 1, (uintptr_t)&wanted, (uintptr_t)&out, 0);
	*made = out.vdev_id;
	return code;
}

static void test_cards_are_told_once(void)
{
	int number = -1, list[64], devices, mcu, cpu;
	OK(dcmi_get_card_list(&number, list, 64));
	EXPECT(2, number);
	EXPECT(2, list[0]);
	EXPECT(3, list[1]);
	OK(dcmi_get_card_num_list(&number, list, 1));
	EXPECT(1, number);
	EXPECT(DCMI_BAD_PARAMETER, dcmi_get_card_list(&number, list, 65));
	OK(dcmi_get_device_num_in_card(3, &number));
	EXPECT(2, number);
	OK(dcmi_get_device_id_in_card(3, &devices, &mcu, &cpu));
	EXPECT(2, devices);
	EXPECT(-1, cpu);
	EXPECT(DCMI_INVALID_DEVICE, dcmi_get_device_num_in_card(9, &number));
}

static void test_four_numberings_are_kept_apart(void)
{
	int logic, card, device;
	unsigned int phy, back;
	OK(dcmi_get_device_logic_id(&logic, 3, 1));
	EXPECT(1, logic);
	OK(dcmi_get_device_phyid_from_logicid(1, &phy));
	EXPECT(5, phy);
	OK(dcmi_get_device_logicid_from_phyid(5, &back));
	EXPECT(1, back);
	OK(dcmi_get_card_id_device_id_from_logicid(&card, &device, 1));
	EXPECT(3, card);
	EXPECT(1, device);
	OK(dcmi_get_card_id_device_id_from_phyid(&card, &device, 6));
	EXPECT(3, card);
	EXPECT(0, device);
	EXPECT(DCMI_INVALID_DEVICE, dcmi_get_card_id_device_id_from_phyid(&card, &device, 0));
}

static void test_a_chip_says_what_it_is(void)
{
	struct dcmi_chip_info_v2 chip = {0};
	struct dcmi_die_id die, other;
	struct dcmi_pcie_info_all bus;
	char cpus[64];
	int length = sizeof cpus;
	OK(dcmi_get_device_chip_info_v2(2, 0, &chip));
	EXPECT_TEXT("910B3", (char *)chip.chip_name);
	EXPECT(20, chip.aicore_cnt);
	OK(dcmi_get_device_die_v2(2, 0, DCMI_VDIE, &die));
	OK(dcmi_get_device_die_v2(2, 0, DCMI_NDIE, &other));
	EXPECT(1, die.soc_die[0]);
	EXPECT(10, die.soc_die[4]);
	EXPECT(true, memcmp(&die, &other, sizeof die) != 0);
	EXPECT(DCMI_NOT_SUPPORTED, dcmi_get_device_die_v2(3, 1, DCMI_VDIE, &die));
	OK(dcmi_get_device_pcie_info_v2(2, 0, &bus));
	EXPECT(0xc1, bus.bdf_busid);
	EXPECT(0x19e5, bus.venderid);
	OK(dcmi_get_affinity_cpu_info_by_device_id(2, 0, cpus, &length));
	EXPECT_TEXT("0-23", cpus);
	length = 2;
	EXPECT(DCMI_BAD_PARAMETER, dcmi_get_affinity_cpu_info_by_device_id(2, 0, cpus, &length));
}

static void test_memory_is_told_by_the_call_of_its_kind(void)
{
	struct dcmi_hbm_info hbm;
	struct dcmi_get_memory_info_stru ddr;
	struct dcmi_proc_mem_info list[DCMI_PROCESSES];
	int number = -77; /* what was in it does not count */
	OK(dcmi_get_device_hbm_info(2, 0, &hbm));
	EXPECT(65536, hbm.memory_size);
	EXPECT(1128, hbm.memory_usage);
	EXPECT(DCMI_NOT_SUPPORTED, dcmi_get_device_memory_info_v3(2, 0, &ddr));
	OK(dcmi_get_device_memory_info_v3(3, 0, &ddr));
	EXPECT(21000, ddr.memory_available);
	EXPECT(DCMI_NOT_SUPPORTED, dcmi_get_device_hbm_info(3, 0, &hbm));
	OK(dcmi_get_device_resource_info(2, 0, list, &number));
	EXPECT(2, number);
	EXPECT(42, list[1].proc_id);
	EXPECT(28 << 20, list[1].proc_mem_usage);
}

static void test_a_condition_is_that_of_the_moment(void)
{
	unsigned int health, errors[128];
	int count, degrees, tenths;
	OK(dcmi_get_device_health(3, 0, &health));
	EXPECT(3, health);
	OK(dcmi_get_device_errorcode_v2(3, 0, &count, errors, 128));
	EXPECT(2, count);
	EXPECT(0x80E18005u, errors[1]);
	OK(dcmi_get_device_temperature(2, 0, &degrees));
	EXPECT(45, degrees);
	OK(dcmi_get_device_power_info(2, 0, &tenths));
	EXPECT(932, tenths);
	EXPECT(DCMI_NOT_SUPPORTED, dcmi_get_device_power_info(3, 1, &tenths));
	EXPECT(DCMI_INVALID_DEVICE, dcmi_get_device_health(3, 2, &health));
}

static void test_vnpus_are_numbered_by_chip(void)
{
	unsigned int id;
	OK(create(DCMI_ANY, "vir05_1c_16g", &id));
	EXPECT(180, id);
	EXPECT(true, board_has("root/dev/vdavinci180"));
	EXPECT(DCMI_OCCUPIED, create(180, "vir05_1c_16g", &id));
	EXPECT(DCMI_BAD_PARAMETER, create(182, "vir05_1c_16g", &id)); /* this card numbers two */
	EXPECT(DCMI_BAD_PARAMETER, create(181, "vir04", &id));
	OK(create(181, "vir10_3c_32g", &id));
	EXPECT(DCMI_OCCUPIED, create(DCMI_ANY, "vir05_1c_16g", &id));
	EXPECT(DCMI_BAD_PARAMETER, dcmi_create_vdevice(3, 1, 180, 0, 0)); /* the old form: no pointer */
}

static void see_them(void)
{
	struct dcmi_soc_total_resource total;
	struct dcmi_vdev_query_stru one = {.vdev_id = 181};
	struct dcmi_soc_free_resource rest;
	unsigned int size = sizeof total;
	OK(dcmi_init());
	OK(dcmi_get_device_info(3, 1, DCMI_VDEV_MNG, DCMI_TOTAL, &total, &size));
	EXPECT(2, total.vdev_num);
	EXPECT(180, total.vdev_id[0]);
	size = sizeof one;
	OK(dcmi_get_device_info(3, 1, DCMI_VDEV_MNG, DCMI_ONE_VDEV, &one, &size));
	EXPECT_TEXT("vir10_3c_32g", one.query_info.name);
	EXPECT(3, one.query_info.computing.device_aicpu);
	size = sizeof rest;
	OK(dcmi_get_device_info(3, 1, DCMI_VDEV_MNG, DCMI_FREE, &rest, &size));
	EXPECT(5, rest.computing.aic);
	size = 3;
	EXPECT(DCMI_BAD_PARAMETER, dcmi_get_device_info(3, 1, DCMI_VDEV_MNG, DCMI_FREE, &rest, &size));
	one.vdev_id = 183;
	size = sizeof one;
	EXPECT(DCMI_NO_DEVICE, dcmi_get_device_info(3, 1, DCMI_VDEV_MNG, DCMI_ONE_VDEV, &one, &size));
}

static void test_vnpus_outlive_their_maker(void)
{
	in_child(see_them);
	OK(dcmi_set_destroy_vdevice(3, 1, 180));
	EXPECT(false, board_has("root/dev/vdavinci180"));
	EXPECT(DCMI_NO_DEVICE, dcmi_set_destroy_vdevice(3, 1, 180));
	OK(dcmi_set_destroy_vdevice(3, 1, 181));
}

static void test_ai_cpus_run_out(void)
{
	struct dcmi_create_vdev_res_stru wanted = {.vdev_id = DCMI_ANY, .template_name = "vir01"};
	struct dcmi_create_vdev_out out;
	for (int i = 0; i < 7; i++)
		OK(dcmi_create_vdevice(3, 0, (uintptr_t)&wanted, (uintptr_t)&out, 0));
	EXPECT(DCMI_OCCUPIED, dcmi_create_vdevice(3, 0, (uintptr_t)&wanted, (uintptr_t)&out, 0));
}

static void make_and_die(void)
{
	unsigned int id;
	create(181, "vir05_1c_16g", &id);
}

static void test_faults_come_on_demand(void)
{
	unsigned int health, id;
	int number;
	write_board("faults", "dcmi_get_device_health 1 fail -8006\ndcmi_get_card_num_list * garbage\n"
			      "dcmi_create_vdevice 1 die-after\n");
	EXPECT(DCMI_TIMEOUT, dcmi_get_device_health(2, 0, &health));
	OK(dcmi_get_device_health(2, 0, &health));
	OK(dcmi_get_card_num_list(&number, (int[64]){0}, 64));
	EXPECT((int)0xA5A5A5A5, number);
	int status = 0;
	pid_t child = start_child(make_and_die);
	EXPECT(child, waitpid(child, &status, 0));
	EXPECT(SIGKILL, WTERMSIG(status));
	write_board("faults", "");
	EXPECT(DCMI_OCCUPIED, create(181, "vir05_1c_16g", &id));
}

static void test_the_old_form_is_another_function(void)
{
	struct dcmi_create_vdev_out out = {0};
	char old[sizeof cards + 64];
	unsigned int id;
	snprintf(old, sizeof old, "create = old\n%s", cards);
	write_board("cards.conf", old);
	EXPECT(DCMI_BAD_PARAMETER, create(180, "vir05_1c_16g", &id));
	OK(dcmi_create_vdevice(3, 1, 180, (uintptr_t) "vir05_1c_16g", (uintptr_t)&out));
	EXPECT(180, out.vdev_id);
}

static void test_the_newer_family_has_one_number(void)
{
	int list[8], number;
	unsigned int phy;
	struct dcmi_hbm_info hbm;
	EXPECT(DCMI_NOT_SUPPORTED, dcmiv2_init());
	write_board("cards.conf", "api = dcmiv2\n[card]\nphy = 7\nchip = 950PR\nmemory = 114688\n");
	OK(dcmiv2_init());
	EXPECT(DCMI_NOT_SUPPORTED, dcmi_get_card_list(&number, list, 8));
	OK(dcmiv2_get_device_list(list, &number, 8));
	EXPECT(1, number);
	OK(dcmiv2_get_chip_phy_id_by_dev_id(0, &phy));
	EXPECT(7, phy);
	OK(dcmiv2_get_device_hbm_info(0, &hbm));
	EXPECT(114688, hbm.memory_size);
	EXPECT(DCMI_INVALID_DEVICE, dcmiv2_get_device_hbm_info(1, &hbm));
}

/* The struct of one of its callers ends before the newer one does. */
static void test_the_shorter_struct_is_not_overrun(void)
{
	struct {
		struct dcmi_chip_info info;
		unsigned char behind[64];
	} place;
	memset(&place, 0x5A, sizeof place);
	OK(dcmiv2_get_device_chip_info(0, &place.info));
	EXPECT_TEXT("950PR", (char *)place.info.chip_name);
	for (size_t i = 0; i < sizeof place.behind; i++)
		EXPECT(0x5A, place.behind[i]);
}

int main(void)
{
	use_board("HETERO_SIM_DCMI", cards);
	EXPECT(DCMI_NOT_READY, dcmi_get_device_num_in_card(2, &(int){0}));
	OK(dcmi_init());
	test_cards_are_told_once();
	test_four_numberings_are_kept_apart();
	test_a_chip_says_what_it_is();
	test_memory_is_told_by_the_call_of_its_kind();
	test_a_condition_is_that_of_the_moment();
	test_vnpus_are_numbered_by_chip();
	test_vnpus_outlive_their_maker();
	test_ai_cpus_run_out();
	test_faults_come_on_demand();
	test_the_old_form_is_another_function();
	test_the_newer_family_has_one_number();
	test_the_shorter_struct_is_not_overrun();
	remove_board();
	unsetenv("HETERO_SIM_DCMI");
	EXPECT(DCMI_NOT_READY, dcmi_init());
	return 0;
}
