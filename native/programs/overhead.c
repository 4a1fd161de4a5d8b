/*
 * overhead: what a call of the driver costs the host, in ns, as one line of
 * JSON. Run it bare and inside a slice and compare: the driver's own cost is in
 * both figures.
 */
#include "common.h"

#define ROUNDS 9

static const char image[] = ".version 5.0\n.target sm_50\n.address_size 64\n.visible .entry nothing()\n{\n  ret;\n}\n";

static CUfunction kernel;
static CUdeviceptr *live;

static void allocate_and_free(void)
{
	CUdeviceptr pointer;
	CHECK(cuMemAlloc_v2(&pointer, 64 * 1024));
	CHECK(cuMemFree_v2(pointer));
}

static void ask_memory(void)
{
	size_t free_bytes, total;
	CHECK(cuMemGetInfo_v2(&free_bytes, &total));
}

static void launch(void)
{
	CHECK(cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
}

/* The least of several rounds: a round that was interrupted only measures longer. */
static double least_ns(void (*call)(void), int calls)
{
	double least = 0;
	for (int round = 0; round < ROUNDS; round++) {
		double start = seconds_now();
		for (int i = 0; i < calls; i++)
			call();
		double ns = (seconds_now() - start) * 1e9 / calls;
		CHECK(cuCtxSynchronize());
		least = round == 0 || ns < least ? ns : least;
	}
	return least;
}

static void hold(int count)
{
	live = calloc((size_t)count + 1, sizeof *live);
	for (int i = 0; live && i < count; i++)
		CHECK(cuMemAlloc_v2(&live[i], 512));
}

int main(int argc, char **argv)
{
	CUmodule module;
	int count = argc > 1 ? (int)number_argument("live allocations", argv[1], 0, 100000) : 0;
	use_device(0);
	CHECK(cuModuleLoadData(&module, image));
	CHECK(cuModuleGetFunction(&kernel, module, "nothing"));
	hold(count);
	printf("{\"live\": %d, \"alloc_free\": %.1f, \"meminfo\": %.1f, \"launch\": %.1f}\n", count,
	       least_ns(allocate_and_free, 2000), least_ns(ask_memory, 2000), least_ns(launch, 500));
	return 0;
}
