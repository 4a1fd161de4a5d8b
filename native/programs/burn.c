/*
 * burn: keeps a device busy with one small kernel and says what share of the
 * time it got: launches * kernel time / wall time.
 *
 * The kernel time is the shortest of several measured with events before the
 * clock starts, so the share is what was computed, not what was waited for.
 */
#include "common.h"

static const char usage[] =
	"usage: burn [--seconds 5] [--launch plain|extended|cooperative] [--iterations N] [--kernel-ns NS] [--report]\n"
	"  --seconds     how long to launch kernels\n"
	"  --launch      by which call: cuLaunchKernel, cuLaunchKernelEx or cuLaunchCooperativeKernel\n"
	"  --iterations  of the kernel's loop; chosen for kernels of about 2 ms when not given\n"
	"  --kernel-ns   time of one kernel, when it is known; measured when not given\n"
	"  --report      a line each second as well as at the end\n";

#define IN_FLIGHT 4           /* launches queued at once */
#define TARGET_NS 2000000.0   /* long against a launch, short against a limiter's period */
#define ROW 3                 /* kernels measured one after the other */
#define MOST_ROWS 24
#define LEAST_PAUSE 0.011     /* seconds between rows; no multiple of a kernel's time */

/* The store keeps the loop from being optimised away. */
static const char image[] =
	".version 5.0\n"
	".target sm_50\n"
	".address_size 64\n"
	".global .align 8 .u64 sink;\n"
	".visible .entry work(.param .u64 iterations)\n"
	"{\n"
	"  .reg .pred %p<2>;\n"
	"  .reg .u64 %rd<4>;\n"
	"  ld.param.u64 %rd1, [iterations];\n"
	"  mov.u64 %rd2, 0;\n"
	"  mov.u64 %rd3, 1;\n"
	"  setp.eq.u64 %p1, %rd1, 0;\n"
	"  @%p1 bra DONE;\n"
	"LOOP:\n"
	"  mad.lo.u64 %rd3, %rd3, 6364136223846793005, %rd2;\n"
	"  add.u64 %rd2, %rd2, 1;\n"
	"  setp.lt.u64 %p1, %rd2, %rd1;\n"
	"  @%p1 bra LOOP;\n"
	"DONE:\n"
	"  st.global.u64 [sink], %rd3;\n"
	"  ret;\n"
	"}\n";

typedef CUresult launch_call(CUfunction kernel, void **parameters);

static CUresult launch_plain(CUfunction kernel, void **parameters)
{
	return cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL);
}

static CUresult launch_extended(CUfunction kernel, void **parameters)
{
	const CUlaunchConfig one = {
		.gridDimX = 1, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 1, .blockDimY = 1, .blockDimZ = 1};
	return cuLaunchKernelEx(&one, kernel, parameters, NULL);
}

static CUresult launch_cooperative(CUfunction kernel, void **parameters)
{
	return cuLaunchCooperativeKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters);
}

static launch_call *launch_by = launch_plain;

struct plan {
	uint64_t seconds, iterations, kernel_ns;
	bool report;
};

static void refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static launch_call *call_named(const char *name)
{
	if (name && strcmp(name, "extended") == 0)
		return launch_extended;
	if (name && strcmp(name, "cooperative") == 0)
		return launch_cooperative;
	if (!name || strcmp(name, "plain") != 0)
		refuse();
	return launch_plain;
}

static struct plan read_arguments(char **argument)
{
	struct plan plan = {.seconds = 5};
	while (*argument) {
		const char *option = *argument++, *value = *argument;
		if (strcmp(option, "--report") == 0) {
			plan.report = true;
			continue;
		}
		if (strcmp(option, "--seconds") == 0)
			plan.seconds = number_argument(option, value, 1, 86400);
		else if (strcmp(option, "--iterations") == 0)
			plan.iterations = number_argument(option, value, 1, 1000000000000);
		else if (strcmp(option, "--kernel-ns") == 0)
			plan.kernel_ns = number_argument(option, value, 1, 1000000000000);
		else if (strcmp(option, "--launch") == 0)
			launch_by = call_named(value);
		else
			refuse();
		argument++;
	}
	return plan;
}

static void launch(CUfunction kernel, uint64_t iterations)
{
	void *parameters[] = {&iterations};
	CHECK(launch_by(kernel, parameters));
}

static double ns_between(CUevent before, CUevent after)
{
	float milliseconds = 0;
	CHECK(cuEventElapsedTime(&milliseconds, before, after));
	return 1e6 * (double)milliseconds;
}

/* The shortest of a few kernels in a row, with an event between any two: one that follows another at once measures true. */
static double shortest_of_row(CUfunction kernel, uint64_t iterations, CUevent event[ROW + 1])
{
	double least = 0;
	CHECK(cuEventRecord(event[0], NULL));
	for (int i = 0; i < ROW; i++) {
		launch(kernel, iterations);
		CHECK(cuEventRecord(event[i + 1], NULL));
	}
	CHECK(cuEventSynchronize(event[ROW]));
	for (int i = 0; i < ROW; i++) {
		double ns = ns_between(event[i], event[i + 1]);
		least = i == 0 || ns < least ? ns : least;
	}
	return least;
}

/*
 * Rows of kernels, with a pause before each: the pause lets a limited slice save up, longer when the last row was held back,
 * and lets each row meet its neighbours at another moment. Both only ever lengthen a measurement, so the least is nearest
 * to the truth; when enough rows agree on it, that is it.
 */
static double measure(CUfunction kernel, uint64_t iterations, int agreeing)
{
	CUevent event[ROW + 1];
	double least = 0, pause = LEAST_PAUSE;
	for (int i = 0; i <= ROW; i++)
		CHECK(cuEventCreate(&event[i], CU_EVENT_DEFAULT));
	for (int row = 0, agreed = 0; row < MOST_ROWS && agreed < agreeing; row++) {
		sleep_seconds(pause);
		double start = seconds_now();
		double ns = shortest_of_row(kernel, iterations, event);
		double held = seconds_now() - start;
		pause = held > LEAST_PAUSE ? held : LEAST_PAUSE;
		agreed = row > 0 && ns > 0.99 * least ? agreed + (ns < 1.01 * least) : 1;
		least = row == 0 || ns < least ? ns : least;
	}
	for (int i = 0; i <= ROW; i++)
		CHECK(cuEventDestroy_v2(event[i]));
	return least;
}

/* Twice as many until a kernel is long against its launch; then by proportion. */
static uint64_t choose_iterations(CUfunction kernel)
{
	uint64_t iterations = 100;
	double ns = 0;
	while ((ns = measure(kernel, iterations, 2)) < TARGET_NS / 8)
		iterations *= 2;
	return (uint64_t)((double)iterations * TARGET_NS / ns) + 1;
}

static void print_share(const char *label, uint64_t launches, uint64_t kernel_ns, double wall)
{
	printf("%s: launches %llu, kernel %llu ns, wall %.3f s, busy %.1f %%\n", label, (unsigned long long)launches,
	       (unsigned long long)kernel_ns, wall, 100.0 * (double)launches * (double)kernel_ns / (wall * 1e9));
	fflush(stdout);
}

static void burn(CUfunction kernel, const struct plan *plan)
{
	CUevent done[IN_FLIGHT];
	uint64_t launches = 0, reported = 0;
	for (int i = 0; i < IN_FLIGHT; i++)
		CHECK(cuEventCreate(&done[i], CU_EVENT_DISABLE_TIMING));
	double start = seconds_now(), since = start, now = start;
	for (; now - start < (double)plan->seconds; now = seconds_now()) {
		CUevent event = done[launches % IN_FLIGHT];
		CHECK(cuEventSynchronize(event)); /* an event never recorded is complete */
		launch(kernel, plan->iterations);
		CHECK(cuEventRecord(event, NULL));
		launches++;
		if (plan->report && now - since >= 1) {
			print_share("last second", launches - reported, plan->kernel_ns, now - since);
			reported = launches;
			since = now;
		}
	}
	CHECK(cuCtxSynchronize());
	print_share("total", launches, plan->kernel_ns, seconds_now() - start);
	for (int i = 0; i < IN_FLIGHT; i++)
		CHECK(cuEventDestroy_v2(done[i]));
}

int main(int argc, char **argv)
{
	(void)argc;
	CUmodule module;
	CUfunction kernel;
	struct plan plan = read_arguments(argv + 1);
	CUdevice device = use_device(0);
	CHECK(cuModuleLoadData(&module, image));
	CHECK(cuModuleGetFunction(&kernel, module, "work"));
	if (!plan.iterations)
		plan.iterations = choose_iterations(kernel);
	if (!plan.kernel_ns)
		plan.kernel_ns = (uint64_t)measure(kernel, plan.iterations, 6);
	burn(kernel, &plan);
	CHECK(cuModuleUnload(module));
	CHECK(cuDevicePrimaryCtxRelease_v2(device));
	return 0;
}
