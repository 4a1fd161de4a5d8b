/* Slices of the simulated libcndev.so: profiles and instances, which all processes see. */
#include "cndev_abi.h"

#include "boardcheck.h"

#define VARIABLE "HETERO_SIM_CNDEV"
#define MIB (1024ull * 1024ull)
#define CARD                                                                                           \
	"[card]\nuuid = 10001012-1916-0000-0000-000000000000\nname = MLU590-M9\nmemory_mib = 80675\n" \
	"clusters = 12\nsmlu = on\n"
#define CARDS CARD "[card]\nuuid = 20001012-1916-0000-0000-000000000000\nname = MLU590-M9\nmemory_mib = 80675\n"

static int32_t profile_of(uint32_t quota, uint64_t mib)
{
	cndevSMluSet_t set = {.version = CNDEV_VERSION, .mluQuota = quota, .memorySize = mib * MIB};
	int32_t profile = -1;
	OK(cndevCreateSMluProfileInfo(&set, &profile, 0));
	return profile;
}

static cndevSMluProfileInfo_t describe(int32_t profile)
{
	cndevSMluProfileInfo_t info = {.version = CNDEV_VERSION};
	OK(cndevGetSMluProfileInfo(&info, profile, 0));
	return info;
}

static int32_t instances(void)
{
	int32_t count = 0;
	cndevRet_t code = cndevGetAllSMluInstanceInfo(&count, NULL, 0);
	EXPECT(count ? CNDEV_ERROR_INSUFFICIENT_SPACE : CNDEV_SUCCESS, code);
	return count;
}

static void a_card_that_is_not_split_supports_none_of_it(void)
{
	cndevSMluSet_t set = {.version = CNDEV_VERSION, .mluQuota = 10, .memorySize = MIB};
	cndevSMLUMode_t mode = {.version = CNDEV_VERSION};
	int32_t profile, count = 0;
	EXPECT(CNDEV_ERROR_NOT_SUPPORTED, cndevCreateSMluProfileInfo(&set, &profile, 1));
	EXPECT(CNDEV_ERROR_NOT_SUPPORTED, cndevGetAllSMluInstanceInfo(&count, NULL, 1));
	OK(cndevGetSMLUMode(&mode, 1));
	EXPECT(0, mode.smluMode);
	mode.smluMode = 1;
	OK(cndevSetSMLUMode(&mode, 1));
	OK(cndevCreateSMluProfileInfo(&set, &profile, 1));
	mode.smluMode = 0;
	OK(cndevSetSMLUMode(&mode, 1));
	EXPECT(CNDEV_ERROR_NOT_SUPPORTED, cndevGetAllSMluInstanceInfo(&count, NULL, 1));
}

static void sizes_are_checked(void)
{
	static const struct {
		uint32_t quota;
		uint64_t bytes;
		cndevRet_t code;
	} sizes[] = {
		{0, MIB, CNDEV_ERROR_INVALID_ARGUMENT}, {101, MIB, CNDEV_ERROR_INVALID_ARGUMENT},
		{10, 0, CNDEV_ERROR_INVALID_ARGUMENT},	{100, 80675 * MIB, CNDEV_SUCCESS},
		{100, 80676 * MIB, CNDEV_ERROR_INVALID_ARGUMENT},
	};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		cndevSMluSet_t set = {CNDEV_VERSION, sizes[i].quota, sizes[i].bytes};
		int32_t profile;
		EXPECT(sizes[i].code, cndevCreateSMluProfileInfo(&set, &profile, 0));
		if (!sizes[i].code)
			OK(cndevDestroySMluProfileInfo(profile, 0));
	}
}

static void an_instance_is_what_its_profile_says(void)
{
	int32_t profile = profile_of(25, 1024);
	cndevMluInstance_t handle;
	cndevSMluInfo_t info = {.version = CNDEV_VERSION};
	char name[] = "first";
	EXPECT_TEXT("3.000m.1.000gb", describe(profile).name);
	OK(cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile, 0, name));
	EXPECT(1 << 8 | 0, handle);
	OK(cndevGetSMluInstanceInfo(&info, handle));
	EXPECT(25, info.mluQuota[0]);
	EXPECT(1024 * MIB, info.memorySize[0]);
	EXPECT(0, info.memorySize[1]);
	EXPECT_TEXT("first", info.instanceName);
	EXPECT_TEXT("/dev/cambricon-caps/cap_dev0_mi1", info.devNodeName);
	EXPECT_TEXT("10001012-1916-0000-0000-000000000001", (char *)info.uuid);
	EXPECT(true, board_has("root/dev/cambricon-caps/cap_dev0_mi1"));
	EXPECT(CNDEV_ERROR_DUPLICATE, cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile, 0, name));
	EXPECT(CNDEV_ERROR_DUPLICATE, cndevDestroySMluProfileInfo(profile, 0));
	OK(cndevDestroySMluInstanceByInstanceName(0, name));
	EXPECT(false, board_has("root/dev/cambricon-caps/cap_dev0_mi1"));
	EXPECT(CNDEV_ERROR_NOT_FOUND, cndevDestroySMluInstanceByHandle(1 << 8));
	OK(cndevDestroySMluProfileInfo(profile, 0));
	EXPECT(CNDEV_ERROR_INVALID_ARGUMENT, cndevDestroySMluProfileInfo(profile, 0));
}

static void a_card_gives_no_more_than_it_has(void)
{
	int32_t profile = profile_of(30, 256), large = profile_of(10, 60000);
	cndevMluInstance_t handles[3], more;
	char none[] = "";
	EXPECT(3, describe(profile).totalCapacity);
	for (int i = 0; i < 3; i++) {
		EXPECT(3 - i, describe(profile).remainCapacity);
		OK(cndevCreateSMluInstanceByProfileId(&handles[i], (uint32_t)profile, 0, none));
	}
	EXPECT(3, instances());
	EXPECT(CNDEV_ERROR_INSUFFICIENT_SPACE, cndevCreateSMluInstanceByProfileId(&more, (uint32_t)profile, 0, none));
	EXPECT(1, describe(large).remainCapacity);
	OK(cndevCreateSMluInstanceByProfileName(&more, describe(large).name, 0, none));
	EXPECT(0, describe(large).remainCapacity);
	OK(cndevDestroySMluInstanceByHandle(more));
	for (int i = 0; i < 3; i++)
		OK(cndevDestroySMluInstanceByHandle(handles[i]));
	OK(cndevDestroySMluProfileInfo(profile, 0));
	OK(cndevDestroySMluProfileInfo(large, 0));
	EXPECT(0, instances());
}

static void limits_can_be_changed(void)
{
	int32_t profile = profile_of(50, 1024);
	cndevMluInstance_t handle;
	cndevSMluInfo_t info = {.version = CNDEV_VERSION};
	cndevSMluSet_t set = {CNDEV_VERSION, 100, 2048 * MIB};
	char name[] = "growing";
	OK(cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile, 0, name));
	OK(cndevUpdateSMluInstanceQuotaByHandle(handle, &set));
	OK(cndevGetSMluInstanceInfo(&info, handle));
	EXPECT(100, info.mluQuota[0]);
	set.memorySize = 90000 * MIB;
	EXPECT(CNDEV_ERROR_INVALID_ARGUMENT, cndevUpdateSMluInstanceQuotaByHandle(handle, &set));
	OK(cndevDestroySMluInstanceByHandle(handle));
	OK(cndevDestroySMluProfileInfo(profile, 0));
}

static void make_and_end(void)
{
	cndevMluInstance_t handle;
	char name[] = "left behind";
	OK(cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile_of(10, 512), 0, name));
}

static void a_slice_outlives_its_maker_and_can_be_busy(void)
{
	char name[] = "left behind";
	cndevSMluInfo_t infos[2] = {{.version = CNDEV_VERSION}};
	int32_t count = 2;
	in_child(make_and_end);
	OK(cndevGetAllSMluInstanceInfo(&count, infos, 0));
	EXPECT(1, count);
	EXPECT_TEXT(name, infos[0].instanceName);
	write_board("cards.conf", CARD "busy = other, left behind:300:9\n");
	EXPECT(CNDEV_ERROR_IN_USE, cndevDestroySMluInstanceByInstanceName(0, name));
	OK(cndevGetAllSMluInstanceInfo(&count, infos, 0));
	EXPECT(300 * MIB, infos[0].memorySize[1]);
	EXPECT(9, infos[0].mluQuota[1]);
	write_board("cards.conf", CARDS);
	OK(cndevDestroySMluInstanceByInstanceName(0, name));
	OK(cndevDestroySMluProfileInfo(infos[0].profileId, 0));
}

static void what_is_uncertain_can_be_chosen(void)
{
	cndevSMluSet_t set = {CNDEV_VERSION, 10, 300 * MIB};
	cndevMluInstance_t handle;
	int32_t profile;
	char name[] = "";
	write_board("cards.conf", "smlu_round_mib = 1024\nsmlu_full_code = 5\nsmlu_too_large_code = 9\nsmlu_node = off\n" CARD);
	OK(cndevCreateSMluProfileInfo(&set, &profile, 0));
	EXPECT(1024 * MIB, set.memorySize);
	OK(cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile, 0, name));
	EXPECT(false, board_has("root/dev/cambricon-caps/cap_dev0_mi1"));
	OK(cndevDestroySMluInstanceByHandle(handle));
	OK(cndevDestroySMluProfileInfo(profile, 0));
	set.memorySize = 90000 * MIB;
	EXPECT(CNDEV_ERROR_INSUFFICIENT_SPACE, cndevCreateSMluProfileInfo(&set, &profile, 0));
	write_board("cards.conf", "smlu_round_mib = 256\nsmlu_round_down = on\n" CARD);
	set.memorySize = 300 * MIB;
	OK(cndevCreateSMluProfileInfo(&set, &profile, 0));
	EXPECT(256 * MIB, set.memorySize);
	OK(cndevDestroySMluProfileInfo(profile, 0));
	write_board("cards.conf", CARDS);
}

static void die_after_making(void)
{
	cndevMluInstance_t handle;
	char name[] = "orphan";
	cndevCreateSMluInstanceByProfileId(&handle, (uint32_t)profile_of(10, 512), 0, name);
}

static void a_process_may_die_once_it_is_made(void)
{
	int status;
	char name[] = "orphan";
	write_board("faults", "cndevCreateSMluInstanceByProfileId 1 die-after\n");
	pid_t child = start_child(die_after_making);
	EXPECT(child, waitpid(child, &status, 0));
	EXPECT(SIGKILL, WTERMSIG(status));
	write_board("faults", "");
	EXPECT(1, instances());
	OK(cndevDestroySMluInstanceByInstanceName(0, name));
}

int main(void)
{
	use_board(VARIABLE, CARDS);
	OK(cndevInit(0));
	a_card_that_is_not_split_supports_none_of_it();
	sizes_are_checked();
	an_instance_is_what_its_profile_says();
	a_card_gives_no_more_than_it_has();
	limits_can_be_changed();
	a_slice_outlives_its_maker_and_can_be_busy();
	what_is_uncertain_can_be_chosen();
	a_process_may_die_once_it_is_made();
	remove_board();
	return 0;
}
