/*
 * fill: allocates device memory in equal steps until the driver refuses, says how
 * much was granted, and gives it all back; again and again when asked to.
 */
#include "common.h"
#include "paths.h"

static const char usage[] =
	"usage: fill [--step 64m] [--api CALL] [--cycles N] [--hold SECONDS] [--max N]\n"
	"  --step    size of one allocation\n"
	"  --api     which call allocates: alloc (cuMemAlloc), alloc1 (its form before CUDA 3.2), managed, pitch,\n"
	"            async (cuMemAllocAsync), pool (from a pool of its own), create (cuMemCreate), mapped (created,\n"
	"            mapped and released, so that only the mapping holds it), array, array3d, mipmap,\n"
	"            graph (a node of a graph that is launched once)\n"
	"  --cycles  fill and free so many times; every time must grant as much as the first\n"
	"  --hold    seconds to keep the memory before it is freed\n"
	"  --max     stop after N steps, without waiting for a refusal\n"
	"Exit code 0: refused with CUDA_ERROR_OUT_OF_MEMORY (or --max reached); 1: anything else; 2: wrong usage.\n";

struct plan {
	const struct paths_api *api;
	uint64_t step, cycles, hold, max;
};

static const struct paths_api *api_argument(const char *name)
{
	const struct paths_api *found = name ? paths_find(name) : NULL;
	if (found)
		return found;
	fprintf(stderr, "--api: expected");
	for (size_t i = 0; i < paths_count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", paths[i].name);
	fprintf(stderr, "; not '%s'\n", name ? name : "nothing");
	exit(2);
}

static struct plan read_arguments(char **argument)
{
	struct plan plan = {.api = &paths[0], .step = 64 * MIB, .cycles = 1, .max = UINT32_MAX};
	while (*argument) {
		const char *option = *argument++, *value = *argument;
		if (strcmp(option, "--step") == 0)
			plan.step = size_argument(option, value);
		else if (strcmp(option, "--api") == 0)
			plan.api = api_argument(value);
		else if (strcmp(option, "--cycles") == 0)
			plan.cycles = number_argument(option, value, 1, 1000000000);
		else if (strcmp(option, "--hold") == 0)
			plan.hold = number_argument(option, value, 0, 1000000);
		else if (strcmp(option, "--max") == 0)
			plan.max = number_argument(option, value, 1, UINT32_MAX);
		else {
			fputs(usage, stderr);
			exit(2);
		}
		argument++;
	}
	return plan;
}

struct held {
	CUdeviceptr *addresses;
	uint64_t count, capacity;
};

static void remember(struct held *held, CUdeviceptr address)
{
	if (held->count == held->capacity) {
		held->capacity = held->capacity ? 2 * held->capacity : 64;
		held->addresses = realloc(held->addresses, held->capacity * sizeof *held->addresses);
		if (!held->addresses)
			abort();
	}
	held->addresses[held->count++] = address;
}

/* The result that ended the filling; CUDA_SUCCESS when --max did. */
static CUresult fill(const struct plan *plan, struct held *held)
{
	held->count = 0;
	while (held->count < plan->max) {
		CUdeviceptr address = 0;
		CUresult result = plan->api->allocate(&address, plan->step);
		if (result != CUDA_SUCCESS)
			return result;
		remember(held, address);
	}
	return CUDA_SUCCESS;
}

static void release(const struct plan *plan, struct held *held)
{
	for (uint64_t i = 0; i < held->count; i++)
		check(plan->api->release(held->addresses[i], plan->step), "free");
	CHECK(cuCtxSynchronize()); /* a pool returns its memory to the card here */
}

static void report(const struct plan *plan, uint64_t steps, CUresult result)
{
	printf("%s: granted %llu MiB in %llu steps, ", plan->api->name, (unsigned long long)(steps * plan->step / MIB),
	       (unsigned long long)steps);
	if (result == CUDA_SUCCESS)
		printf("stopped by --max\n");
	else
		printf("then %s\n", error_name(result));
	fflush(stdout);
}

static bool run(const struct plan *plan)
{
	struct held held = {0};
	uint64_t first = 0;
	for (uint64_t cycle = 0; cycle < plan->cycles; cycle++) {
		CUresult result = fill(plan, &held);
		if (cycle == 0) {
			first = held.count;
			report(plan, first, result);
		}
		if (plan->hold)
			sleep_seconds((double)plan->hold);
		if (held.count != first || (result != CUDA_SUCCESS && result != CUDA_ERROR_OUT_OF_MEMORY)) {
			printf("cycle %llu differs: ", (unsigned long long)cycle + 1);
			report(plan, held.count, result);
			return false;
		}
		release(plan, &held);
	}
	if (plan->cycles > 1)
		printf("%s: the same in all %llu cycles\n", plan->api->name, (unsigned long long)plan->cycles);
	free(held.addresses);
	return true;
}

/* The old calls are refused in the contexts of newer ones. */
static void use_old_context(CUdevice device)
{
	CUcontext context;
	CHECK(cuCtxCreate(&context, 0, device));
}

int main(int argc, char **argv)
{
	(void)argc;
	struct plan plan = read_arguments(argv + 1);
	CUdevice device = use_device(0);
	if (plan.api->old)
		use_old_context(device);
	bool good = run(&plan);
	CHECK(cuDevicePrimaryCtxRelease_v2(device));
	return good ? 0 : 1;
}
