/*
 * What the tests of the simulated machine share: expectations that end the
 * process with the place and the values, a machine in a directory of its own, and
 * a child process that is waited for.
 */
#ifndef HETERO_SIM_TESTS_CHECK_H
#define HETERO_SIM_TESTS_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda_abi.h"
#include "nvml_abi.h"

#define MIB (1024ull * 1024ull)

#define EXPECT(expected, actual)                                                                      \
	do {                                                                                          \
		long long expected_value = (long long)(expected), actual_value = (long long)(actual); \
		if (expected_value != actual_value) {                                                 \
			fprintf(stderr, "%s:%d: %s: expected %lld, got %lld\n", __FILE__, __LINE__,   \
				#actual, expected_value, actual_value);                               \
			exit(1);                                                                      \
		}                                                                                     \
	} while (0)

#define OK(call) EXPECT(0, call)
#define EXPECT_TEXT(expected, actual) EXPECT(0, strcmp(expected, actual))

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

/* Runs the function in a child that has not touched the driver, and expects it to end well. */
static inline pid_t start_child(void (*run)(void))
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		run();
		_exit(0);
	}
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	return child;
}

static inline void expect_child(pid_t child)
{
	int status = 0;
	EXPECT(child, waitpid(child, &status, 0));
	EXPECT(true, WIFEXITED(status));
	EXPECT(0, WEXITSTATUS(status));
}

static inline void in_child(void (*run)(void))
{
	expect_child(start_child(run));
}

/* A child that has to be told when to go on, and tells when it has got there. */
struct steps {
	int to_child[2], to_parent[2];
};

static inline void make_steps(struct steps *steps)
{
	OK(pipe(steps->to_child));
	OK(pipe(steps->to_parent));
}

static inline void tell(int end[2])
{
	EXPECT(1, write(end[1], "x", 1));
}

static inline void await(int end[2])
{
	char byte;
	EXPECT(1, read(end[0], &byte, 1));
}

static inline void kill_child(pid_t child)
{
	int status;
	if (child <= 0)
		exit(1);
	OK(kill(child, SIGKILL));
	EXPECT(child, waitpid(child, &status, 0));
}

#endif
