/* What the C tests share: a check that names its line, and the end of the program with a count. */
#ifndef HETERO_TESTHELPER_H
#define HETERO_TESTHELPER_H

#include <stdio.h>
#include <stdlib.h>

static int checks_failed;

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			checks_failed++;                                                   \
		}                                                                          \
	} while (0)

#define TEST_RESULT() (checks_failed ? EXIT_FAILURE : EXIT_SUCCESS)

#endif
