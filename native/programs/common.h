/*
 * What every program here needs: the end of a program on an error of the driver,
 * sizes from the command line, and the first device.
 */
#ifndef HETERO_PROGRAMS_COMMON_H
#define HETERO_PROGRAMS_COMMON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cuda_abi.h"

#define MIB (1024ull * 1024ull)

static inline const char *error_name(CUresult result)
{
	const char *name = NULL;
	if (cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
		return "an error without a name";
	return name;
}

static inline void check(CUresult result, const char *call)
{
	if (result == CUDA_SUCCESS)
		return;
	fprintf(stderr, "%s: %s (%d)\n", call, error_name(result), (int)result);
	exit(1);
}

#define CHECK(call) check((call), #call)

/* A whole number, or the end of the program with a sentence and exit code 2. */
static inline uint64_t number_argument(const char *option, const char *text, uint64_t low, uint64_t high)
{
	char *end;
	unsigned long long value = text ? strtoull(text, &end, 10) : 0;
	if (text && *text >= '0' && *text <= '9' && !*end && value >= low && value <= high)
		return value;
	fprintf(stderr, "%s: expected a whole number from %llu to %llu, not '%s'\n", option, (unsigned long long)low,
		(unsigned long long)high, text ? text : "nothing");
	exit(2);
}

/* A size such as 64m, 2g or 4096 (bytes). */
static inline uint64_t size_argument(const char *option, const char *text)
{
	char *end = NULL;
	unsigned long long value = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	if (value && value <= UINT64_MAX >> 30) {
		if (!*end)
			return value;
		if (!strcasecmp(end, "k"))
			return value << 10;
		if (!strcasecmp(end, "m"))
			return value << 20;
		if (!strcasecmp(end, "g"))
			return value << 30;
	}
	fprintf(stderr, "%s: expected a size such as 64m or 2g, not '%s'\n", option, text ? text : "nothing");
	exit(2);
}

static inline double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void sleep_seconds(double seconds)
{
	struct timespec rest = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	while (nanosleep(&rest, &rest) != 0)
		;
}

/* The primary context of a device, current to this thread. */
static inline CUdevice use_device(int ordinal)
{
	CUdevice device;
	CUcontext context;
	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, ordinal));
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	return device;
}

#endif
