/* What the tests of the simulated CUDA machine share: a machine in a directory of its own. */
#ifndef HETERO_SIM_TESTS_CHECK_H
#define HETERO_SIM_TESTS_CHECK_H

#include "cuda_abi.h"
#include "expect.h"
#include "nvml_abi.h"

#define MIB (1024ull * 1024ull)

#define CARD_A                                                                                \
	"[card]\nuuid = GPU-aaaaaaaa-0000-4000-8000-000000000001\nname = Card A\n"            \
	"memory_mib = 1024\npci = 00000000:3B:00.0\nnuma = 0\nminor = 0\nns_per_iteration = 1000\n"
#define CARD_B                                                                                \
	"[card]\nuuid = GPU-bbbbbbbb-0000-4000-8000-000000000002\nname = Card B\n"            \
	"memory_mib = 512\npci = 00000000:AF:00.0\nnuma = 1\nminor = 1\nns_per_iteration = 1000\n"

static char machine_directory[64];

static inline void write_cards(const char *text)
{
	char path[96];
	snprintf(path, sizeof path, "%s/cards.conf", machine_directory);
	FILE *file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static inline void remove_machine(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/cards.conf", machine_directory);
	unlink(path);
	snprintf(path, sizeof path, "%s/state", machine_directory);
	unlink(path);
	rmdir(machine_directory);
}

/* A machine of these cards, for this process and its children. */
static inline void use_machine(const char *cards)
{
	snprintf(machine_directory, sizeof machine_directory, "/tmp/hetero-sim-test-XXXXXX");
	if (!mkdtemp(machine_directory)) {
		perror("mkdtemp");
		exit(1);
	}
	setenv("HETERO_SIM_DIR", machine_directory, 1);
	unsetenv("CUDA_VISIBLE_DEVICES");
	write_cards(cards);
}

static inline CUcontext use_card(int ordinal)
{
	CUcontext context;
	OK(cuInit(0));
	OK(cuDevicePrimaryCtxRetain(&context, ordinal));
	OK(cuCtxSetCurrent(context));
	return context;
}

static inline uint64_t free_mib(void)
{
	size_t free_bytes, total;
	OK(cuMemGetInfo_v2(&free_bytes, &total));
	return free_bytes / MIB;
}

#endif
