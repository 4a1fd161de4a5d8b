/*
 * How long a kernel runs, which is all that there is to it.  All parameters
 * are of 64 bits.
 *
 *   work(iterations)                    iterations times the card's time of one
 *   varied(iterations, percent, seed)   the same on the average, but each launch by up to so many percent less or more:
 *                                       the nth launch of the function by an amount that the seed and n determine
 *   any other name                      10 microseconds
 */
#include "driver.h"

#include <string.h>

#define PLAIN_KERNEL_NS 10000ull
#define LONGEST_KERNEL_NS 3600e9 /* keeps the clock from overflowing */

unsigned kernel_parameters(const char *name)
{
	return strcmp(name, "work") == 0 ? 1 : strcmp(name, "varied") == 0 ? 3 : 0;
}

unsigned kernel_argument_count(CUfunction function)
{
	return function->parameters;
}

/* Parameters come one pointer each, or packed in a buffer that `extra` describes. */
static bool read_parameters(void **parameters, void **extra, uint64_t *values, unsigned count)
{
	for (unsigned i = 0; parameters && i < count; i++)
		memcpy(&values[i], parameters[i], sizeof values[i]);
	for (; !parameters && extra && extra[0] != CU_LAUNCH_PARAM_END; extra += 2)
		if (extra[0] == CU_LAUNCH_PARAM_BUFFER_POINTER) {
			memcpy(values, extra[1], count * sizeof *values);
			return true;
		}
	return parameters;
}

/* splitmix64: from 0 to below 1. */
static double fraction(uint64_t seed, uint64_t n)
{
	uint64_t mixed = seed + n * 0x9E3779B97F4A7C15u;
	mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
	mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
	return (double)((mixed ^ mixed >> 31) >> 11) * 0x1p-53;
}

static double spread(CUfunction function, uint64_t percent, uint64_t seed)
{
	uint64_t n = __atomic_add_fetch(&function->drawn, 1, __ATOMIC_RELAXED);
	return 1 + (double)percent / 100 * (2 * fraction(seed, n) - 1);
}

CUresult kernel_time(CUfunction function, void **parameters, void **extra, uint64_t *ns)
{
	unsigned count = function->parameters;
	uint64_t values[3] = {0};
	*ns = PLAIN_KERNEL_NS;
	if (!count)
		return CUDA_SUCCESS;
	if (!read_parameters(parameters, extra, values, count) || values[1] > 100)
		return CUDA_ERROR_INVALID_VALUE;
	double time = (double)values[0] * device_card(function->module->context->device)->ns_per_iteration;
	if (count > 1)
		time *= spread(function, values[1], values[2]);
	*ns = (uint64_t)(time < LONGEST_KERNEL_NS ? time : LONGEST_KERNEL_NS);
	return CUDA_SUCCESS;
}
