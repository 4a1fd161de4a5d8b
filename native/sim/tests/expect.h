/*
 * What all tests of simulated libraries share: expectations that end the process with the place and the values, and a
 * child process that is waited for.
 */
#ifndef HETERO_SIM_TESTS_EXPECT_H
#define HETERO_SIM_TESTS_EXPECT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

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
