/*
 * overhead: what a call of the driver costs the host, in ns, as one line of
 * JSON. Run it bare and inside a slice and compare: the driver's own cost is in
 * both figures.
 */
#include "common.h"

static const char usage[] =
	"usage: overhead [--live 0] [--each 512] [--bytes 65536] [--launches 500]\n"
	"  --live      allocations that are held meanwhile\n"
	"  --each      bytes of each of them; above 1 MiB each is accounted for by itself\n"
	"  --bytes     of the allocation that is measured\n"
	"  --launches  in a row, before the device is waited for\n";

#define ROUNDS 21

static const char image[] = ".version 5.0\n.target sm_50\n.address_size 64\n.visible .entry nothing()\n{\n  ret;\n}\n";

static CUfunction kernel;
static CUdeviceptr *live;
static size_t each = 512, bytes = 64 * 1024;

static void allocate_and_free(void)
{
	CUdeviceptr pointer;
	CHECK(cuMemAlloc_v2(&pointer, bytes));
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
		CHECK(cuMemAlloc_v2(&live[i], each));
}

static double first_init_ns(void)
{
	double start = seconds_now();
	CHECK(cuInit(0));
	return (seconds_now() - start) * 1e9;
}

static void read_arguments(char **argument, int *count, int *launches)
{
	for (; *argument; argument += 2) {
		if (strcmp(argument[0], "--live") == 0) {
			*count = (int)number_argument(argument[0], argument[1], 0, 1000000);
		} else if (strcmp(argument[0], "--each") == 0) {
			each = size_argument(argument[0], argument[1]);
		} else if (strcmp(argument[0], "--bytes") == 0) {
			bytes = size_argument(argument[0], argument[1]);
		} else if (strcmp(argument[0], "--launches") == 0) {
			*launches = (int)number_argument(argument[0], argument[1], 1, 100000000);
		} else {
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	CUmodule module;
	int count = 0, launches = 500;
	(void)argc;
	read_arguments(argv + 1, &count, &launches);
	double init_ns = first_init_ns();
	use_device(0);
	CHECK(cuModuleLoadData(&module, image));
	CHECK(cuModuleGetFunction(&kernel, module, "nothing"));
	hold(count);
	printf("{\"live\": %d, \"init\": %.0f, \"alloc_free\": %.2f, \"meminfo\": %.2f, \"launch\": %.2f}\n", count, init_ns,
	       least_ns(allocate_and_free, 2000), least_ns(ask_memory, 2000), least_ns(launch, launches));
	return 0;
}
