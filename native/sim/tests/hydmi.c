/* The simulated libhydmi: vDCUs, their files, who may make them, and what goes wrong with them. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

#include "boardcheck.h"
#include "hydmi_abi.h"

#define MIB (1024ull * 1024ull)
#define CARD_A "[card]\nname = K100_AI\npci = 0000:33:00.0\nmemory_mib = 65520\ncus = 120\nused_mib = 3\n"
#define CARD_B "[card]\nname = Z100L\npci = 0000:9f:00.0\nmemory_mib = 32752\ncus = 60\n"

static int make(int card, int units, int mib)
{
	return dmiCreateVDevices(card, 1, &units, &mib);
}

static void conf(int number, char text[512])
{
	char path[128];
	snprintf(path, sizeof path, "%s/root/etc/vdev/vdev%d.conf", board_directory, number);
	FILE *file = fopen(path, "r");
	text[file ? fread(text, 1, 511, file) : 0] = 0;
	if (file)
		fclose(file);
}

static void cards_are_told_in_bytes(void)
{
	dmiDeviceInfo info;
	int count;
	OK(dmiGetDeviceCount(&count));
	EXPECT(2, count);
	OK(dmiGetMaxVDeviceCount(&count));
	EXPECT(4, count);
	OK(dmiGetDeviceInfo(0, &info));
	EXPECT_TEXT("K100_AI", info.name);
	EXPECT(120, info.compute_unit_count);
	EXPECT(65520 * MIB, info.global_mem_size);
	EXPECT(3 * MIB, info.usage_mem_size);
	EXPECT(DMI_STATUS_INVALID_ARGUMENTS, dmiGetDeviceInfo(2, &info));
	EXPECT(DMI_STATUS_INVALID_ARGUMENTS, dmiGetDeviceInfo(0, NULL));
}

static void a_vdcu_is_a_file_and_no_number_is_told(void)
{
	char text[512];
	dmiDeviceInfo info;
	OK(make(0, 15, 8192));
	OK(make(1, 60, 1024));
	OK(make(0, 105, 57328));
	conf(0, text);
	EXPECT_TEXT("PciBusId: 0000:33:00.0\ncu_mask: 0x0000000000007fff\ncu_mask: 0x0000000000000000\ncu_count: 15\n"
		    "mem: 8192 MiB\ndevice_id: 0\nvdev_id: 0\npipe_id: 0\nenable: 1\n",
		    text);
	conf(2, text);
	EXPECT(true, strstr(text, "cu_mask: 0xffffffffffff8000\ncu_mask: 0x00ffffffffffffff\n") != NULL);
	OK(dmiGetVDeviceInfo(1, &info));
	EXPECT(1024 * MIB, info.global_mem_size);
	EXPECT(1, info.device_id);
	EXPECT(DMI_STATUS_VDEV_NOT_EXIST, dmiGetVDeviceInfo(3, &info));
}

static void a_card_gives_no_more_than_it_has(void)
{
	size_t units, bytes;
	OK(make(0, 100, 65000));
	EXPECT(DMI_STATUS_OUT_OF_RESOURCES, make(0, 21, 1));
	EXPECT(DMI_STATUS_OUT_OF_RESOURCES, make(0, 1, 521));
	OK(dmiGetDeviceRemainingInfo(0, &units, &bytes));
	EXPECT(20, units);
	EXPECT(520 * MIB, bytes);
	for (int more = 0; more < 3; more++)
		OK(make(0, 1, 1));
	EXPECT(DMI_STATUS_OUT_OF_RESOURCES, make(0, 1, 1)); /* the fifth */
	EXPECT(DMI_STATUS_INVALID_ARGUMENTS, make(1, 0, 1));
	EXPECT(DMI_STATUS_INVALID_ARGUMENTS, make(1, 1, 0));
}

static void several_are_made_together_or_not_at_all(void)
{
	int units[] = {30, 30, 61}, mib[] = {100, 100, 100}, count;
	EXPECT(DMI_STATUS_OUT_OF_RESOURCES, dmiCreateVDevices(0, 3, units, mib));
	OK(dmiGetVDeviceCount(&count));
	EXPECT(0, count);
	units[2] = 60;
	OK(dmiCreateVDevices(0, 3, units, mib));
	OK(dmiGetVDeviceCount(&count));
	EXPECT(3, count);
}

static void one_that_runs_is_stopped_before_it_goes(void)
{
	int count;
	OK(make(0, 15, 8192));
	EXPECT(DMI_STATUS_DEVICE_BUSY, dmiDestroySingleVDevice(0));
	OK(dmiStopVDevice(0));
	write_board("cards.conf", "in_use = 0\n" CARD_A);
	EXPECT(DMI_STATUS_DEVICE_BUSY, dmiDestroySingleVDevice(0));
	EXPECT(DMI_STATUS_DEVICE_BUSY, dmiDestroyVDevices(0));
	write_board("cards.conf", CARD_A);
	OK(dmiDestroySingleVDevice(0));
	EXPECT(DMI_STATUS_VDEV_NOT_EXIST, dmiDestroySingleVDevice(0));
	EXPECT(false, board_has("root/etc/vdev/vdev0.conf"));
	OK(dmiGetVDeviceCount(&count));
	EXPECT(0, count);
}

static void memory_can_be_changed(void)
{
	char text[512];
	OK(make(0, 15, 8192));
	OK(dmiUpdateSingleVDevice(0, -1, 65520));
	EXPECT(DMI_STATUS_OUT_OF_RESOURCES, dmiUpdateSingleVDevice(0, -1, 65521));
	conf(0, text);
	EXPECT(true, strstr(text, "mem: 65520 MiB\n") != NULL);
}

static void make_one(void)
{
	OK(make(0, 15, 8192));
}

static void all_processes_see_the_same(void)
{
	dmiDeviceInfo info;
	in_child(make_one);
	OK(dmiGetVDeviceInfo(0, &info));
	EXPECT(15, info.compute_unit_count);
}

static void a_file_that_was_not_written_any_more_is_written_later(void)
{
	char path[128];
	int count;
	OK(make(0, 15, 8192));
	snprintf(path, sizeof path, "%s/root/etc/vdev/vdev0.conf", board_directory);
	OK(unlink(path)); /* as if the process had died before it */
	OK(dmiGetVDeviceCount(&count));
	EXPECT(true, board_has("root/etc/vdev/vdev0.conf"));
}

static void what_is_not_documented_is_a_switch(void)
{
	char text[512];
	int most;
	write_board("cards.conf", "units = scattered\nmemory_step = 256\ncreated_started = off\nencryption_lines = on\n" CARD_A);
	OK(make(0, 3, 1000));
	conf(0, text);
	EXPECT(true, strstr(text, "cu_mask: 0x0000000000000015\n") != NULL);
	EXPECT(true, strstr(text, "mem: 1024 MiB\n") != NULL);
	EXPECT(true, strstr(text, "enable: 0\nencryption: 0\n") != NULL);
	write_board("cards.conf", "sharing = on\n" CARD_A);
	EXPECT(DMI_STATUS_INVALID_ARGUMENTS, make(0, 1, 1));
	OK(make(0, 0, 1));
	write_board("cards.conf", "mig = on\n" CARD_A);
	EXPECT(DMI_STATUS_NOT_SUPPORTED, make(0, 1, 1));
	write_board("cards.conf", "container = on\n" CARD_A);
	OK(dmiGetMaxVDeviceCount(&most));
	EXPECT(0, most);
	EXPECT(DMI_STATUS_NOT_SUPPORTED, make(0, 1, 1));
	write_board("cards.conf", "privileged = off\n" CARD_A);
	EXPECT(DMI_STATUS_PERMISSION, make(0, 1, 1));
	EXPECT(DMI_STATUS_PERMISSION, dmiDestroySingleVDevice(0));
}

static void faults_come_when_they_are_asked(void)
{
	dmiDeviceInfo info;
	write_board("faults", "dmiCreateVDevices 1 fail 8\ndmiGetDeviceInfo * garbage\n");
	EXPECT(DMI_STATUS_CREATE_VDEV_FAILED, make(0, 1, 1));
	OK(make(0, 1, 1));
	OK(dmiGetDeviceInfo(0, &info));
	EXPECT(-1, info.compute_unit_count);
	write_board("cards.conf", CARD_A CARD_B "health = lost\n");
	EXPECT(DMI_STATUS_SYS_NODE_NOT_EXIST, dmiGetDeviceInfo(1, &info));
}

static void how_it_came_up_is_kept(void)
{
	char path[128];
	int count;
	snprintf(path, sizeof path, "%s/root/dev/mkfd", board_directory);
	OK(unlink(path));
	EXPECT(DMI_STATUS_OPEN_MKFD_FAILED, dmiGetDeviceCount(&count));
	FILE *file = fopen(path, "w");
	OK(fclose(file));
	EXPECT(DMI_STATUS_OPEN_MKFD_FAILED, dmiGetDeviceCount(&count));
}

static void symbols_have_their_version(void)
{
	EXPECT(true, dlvsym(RTLD_DEFAULT, "dmiCreateVDevices", "DMI_1") != NULL);
	EXPECT(true, dlsym(RTLD_DEFAULT, "dmiInit") == NULL);
	EXPECT(true, dlsym(RTLD_DEFAULT, "board_open") == NULL);
}

static void on_a_machine(void (*run)(void))
{
	char path[128];
	use_board("HETERO_SIM_HYDMI", CARD_A CARD_B);
	snprintf(path, sizeof path, "%s/root", board_directory);
	OK(mkdir(path, 0755));
	snprintf(path, sizeof path, "%s/root/dev", board_directory);
	OK(mkdir(path, 0755));
	write_board("root/dev/mkfd", "");
	in_child(run);
	remove_board();
}

int main(void)
{
	on_a_machine(cards_are_told_in_bytes);
	on_a_machine(a_vdcu_is_a_file_and_no_number_is_told);
	on_a_machine(a_card_gives_no_more_than_it_has);
	on_a_machine(several_are_made_together_or_not_at_all);
	on_a_machine(one_that_runs_is_stopped_before_it_goes);
	on_a_machine(memory_can_be_changed);
	on_a_machine(all_processes_see_the_same);
	on_a_machine(a_file_that_was_not_written_any_more_is_written_later);
	on_a_machine(what_is_not_documented_is_a_switch);
	on_a_machine(faults_come_when_they_are_asked);
	on_a_machine(how_it_came_up_is_kept);
	on_a_machine(symbols_have_their_version);
	return 0;
}
