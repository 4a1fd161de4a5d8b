/*
 * burn: keeps a device busy with one small kernel and says what share of the
 * time it got: launches * kernel time / wall time.
 *
 * The kernel time is the shortest of several measured with events before the
 * clock starts, so the share is what was computed, not what was waited for.
 */
#include "common.h"

static const char usage[] =
	"usage: burn [--seconds 5] [--after SECONDS] [--launch plain|extended|cooperative|per-thread|graph|extended-per-thread|\n"
	"                                     cooperative-per-thread|graph-per-thread]\n"
	"            [--workload decode|gemm|matmul|persistent|sync] [--spread PERCENT]\n"
	"            [--iterations N] [--kernel-ns NS] [--ns-per-iteration NS] [--report]\n"
	"  --seconds           how long to launch kernels\n"
	"  --after             how long to rest before, with all made ready\n"
	"  --launch            by which call: cuLaunchKernel, cuLaunchKernelEx, cuLaunchCooperativeKernel,\n"
	"                      cuLaunchKernel_ptsz, or cuGraphLaunch of a graph of 20 kernels; the others by _ptsz\n"
	"  --workload          decode: 8 us, many queued; gemm: 1.6 ms; matmul: 3 ms; persistent: 20 ms;\n"
	"                      sync: 10 ms, one at a time; without it 2 ms, four queued\n"
	"  --spread            kernels that take so much longer or shorter, at random; 0 to 90\n"
	"  --iterations        of the kernel's loop; chosen for the workload when not given\n"
	"  --kernel-ns         time of one kernel, when it is known; measured when not given\n"
	"  --ns-per-iteration  of the kernel's loop, when it is known; nothing is measured then\n"
	"  --report            a line each second as well as at the end\n";

#define MOST_IN_FLIGHT 64
#define ROW 3                 /* kernels measured one after the other */
#define MOST_ROWS 24
#define LEAST_PAUSE 0.011     /* seconds between rows; no multiple of a kernel's time */
#define GRAPH_KERNELS 20

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

static CUresult launch_per_thread(CUfunction kernel, void **parameters)
{
	return cuLaunchKernel_ptsz(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL);
}

static const CUlaunchConfig one = {
	.gridDimX = 1, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 1, .blockDimY = 1, .blockDimZ = 1};

static CUresult launch_extended(CUfunction kernel, void **parameters)
{
	return cuLaunchKernelEx(&one, kernel, parameters, NULL);
}

static CUresult launch_extended_per_thread(CUfunction kernel, void **parameters)
{
	return cuLaunchKernelEx_ptsz(&one, kernel, parameters, NULL);
}

static CUresult launch_cooperative(CUfunction kernel, void **parameters)
{
	return cuLaunchCooperativeKernel(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters);
}

static CUresult launch_cooperative_per_thread(CUfunction kernel, void **parameters)
{
	return cuLaunchCooperativeKernel_ptsz(kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters);
}

static CUgraphExec graph; /* of kernels of the time that is launched; made before the clock starts */

static CUresult launch_graph(CUfunction kernel, void **parameters)
{
	(void)kernel;
	(void)parameters;
	return cuGraphLaunch(graph, NULL);
}

static CUresult launch_graph_per_thread(CUfunction kernel, void **parameters)
{
	(void)kernel;
	(void)parameters;
	return cuGraphLaunch_ptsz(graph, NULL);
}

static const struct {
	const char *name;
	launch_call *call;
} forms[] = {
	{"plain", launch_plain},
	{"extended", launch_extended},
	{"cooperative", launch_cooperative},
	{"per-thread", launch_per_thread},
	{"graph", launch_graph},
	{"extended-per-thread", launch_extended_per_thread},
	{"cooperative-per-thread", launch_cooperative_per_thread},
	{"graph-per-thread", launch_graph_per_thread},
};

struct workload {
	const char *name;
	double kernel_ns;
	unsigned in_flight; /* launches queued at once */
};

/* The first one is long against a launch and short against a limiter's period. */
static const struct workload workloads[] = {
	{"", 2e6, 4},
	{"decode", 8e3, MOST_IN_FLIGHT},
	{"gemm", 1.6e6, 8},
	{"matmul", 3e6, 4},
	{"persistent", 20e6, 2},
	{"sync", 10e6, 1},
};

struct plan {
	const struct workload *workload;
	launch_call *launch;
	uint64_t seconds, after, iterations, kernel_ns, ns_per_iteration, spread;
	bool report;
};

static void refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static launch_call *call_named(const char *name)
{
	for (size_t i = 0; name && i < sizeof forms / sizeof *forms; i++)
		if (strcmp(name, forms[i].name) == 0)
			return forms[i].call;
	refuse();
	return NULL;
}

static const struct workload *workload_named(const char *name)
{
	for (size_t i = 1; name && i < sizeof workloads / sizeof *workloads; i++)
		if (strcmp(name, workloads[i].name) == 0)
			return &workloads[i];
	refuse();
	return NULL;
}

static uint64_t *number_of(struct plan *plan, const char *option)
{
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
		{"--seconds", &plan->seconds},
		{"--after", &plan->after},
		{"--iterations", &plan->iterations},
		{"--kernel-ns", &plan->kernel_ns},
		{"--ns-per-iteration", &plan->ns_per_iteration},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(option, numbers[i].name) == 0)
			return numbers[i].number;
	refuse();
	return NULL;
}

static struct plan read_arguments(char **argument)
{
	struct plan plan = {.seconds = 5, .workload = workloads, .launch = launch_plain};
	while (*argument) {
		const char *option = *argument++, *value = *argument;
		if (strcmp(option, "--report") == 0) {
			plan.report = true;
			continue;
		}
		if (strcmp(option, "--launch") == 0)
			plan.launch = call_named(value);
		else if (strcmp(option, "--workload") == 0)
			plan.workload = workload_named(value);
		else if (strcmp(option, "--spread") == 0)
			plan.spread = number_argument(option, value, 0, 90);
		else
			*number_of(&plan, option) = number_argument(option, value, 1, 1000000000000);
		argument++;
	}
	return plan;
}

static void launch(launch_call *call, CUfunction kernel, uint64_t iterations)
{
	void *parameters[] = {&iterations};
	CHECK(call(kernel, parameters));
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
		launch(launch_plain, kernel, iterations);
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
static uint64_t choose_iterations(CUfunction kernel, double target_ns)
{
	uint64_t iterations = 100;
	double ns = 0, enough = target_ns / 8 > 250e3 ? target_ns / 8 : 250e3;
	while ((ns = measure(kernel, iterations, 2)) < enough)
		iterations *= 2;
	return (uint64_t)((double)iterations * target_ns / ns) + 1;
}

static void complete(struct plan *plan, CUfunction kernel)
{
	double target = plan->workload->kernel_ns;
	if (plan->ns_per_iteration) {
		plan->iterations = (uint64_t)(target / (double)plan->ns_per_iteration);
		plan->kernel_ns = plan->iterations * plan->ns_per_iteration;
	}
	if (!plan->iterations)
		plan->iterations = choose_iterations(kernel, target);
	if (!plan->kernel_ns)
		plan->kernel_ns = (uint64_t)measure(kernel, plan->iterations, 6);
}

static void make_graph(struct plan *plan, CUfunction kernel)
{
	CUstream stream;
	CUgraph captured;
	void *parameters[] = {&plan->iterations};
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	CHECK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	for (int i = 0; i < GRAPH_KERNELS; i++)
		CHECK(cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL));
	CHECK(cuStreamEndCapture(stream, &captured));
	CHECK(cuGraphInstantiateWithFlags(&graph, captured, 0));
	CHECK(cuGraphDestroy(captured));
	CHECK(cuStreamDestroy_v2(stream));
	plan->kernel_ns *= GRAPH_KERNELS;
}

static void print_share(const char *label, uint64_t launches, double busy_ns, const struct plan *plan, double wall)
{
	printf("%s: launches %llu, kernel %llu ns, wall %.3f s, busy %.1f %%\n", label, (unsigned long long)launches,
	       (unsigned long long)plan->kernel_ns, wall, 100.0 * busy_ns / (wall * 1e9));
	fflush(stdout);
}

/* The same row of kernels in each run. */
static uint64_t spread_around(uint64_t iterations, uint64_t percent)
{
	static uint64_t state = 88172645463325252u;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	uint64_t most = 2 * (iterations * percent / 100);
	return iterations - most / 2 + (most ? state % (most + 1) : 0);
}

/* What was launched and has not ended counts for nothing: it is told by the event behind it. */
struct tally {
	CUevent done[MOST_IN_FLIGHT];
	double ns[MOST_IN_FLIGHT]; /* of the launch in front of each event; 0: none */
	uint64_t launches;
	double busy_ns;
};

static void await_place(struct tally *tally, unsigned place)
{
	CHECK(cuEventSynchronize(tally->done[place]));
	tally->launches += tally->ns[place] > 0;
	tally->busy_ns += tally->ns[place];
}

static void launch_in(struct tally *tally, unsigned place, const struct plan *plan, CUfunction kernel)
{
	uint64_t iterations = spread_around(plan->iterations, plan->spread);
	launch(plan->launch, kernel, iterations);
	CHECK(cuEventRecord(tally->done[place], NULL));
	tally->ns[place] = (double)plan->kernel_ns * (double)iterations / (double)plan->iterations;
}

static void burn(CUfunction kernel, const struct plan *plan)
{
	unsigned in_flight = plan->workload->in_flight, place = 0;
	struct tally tally = {.launches = 0}, before = {.launches = 0};
	for (unsigned i = 0; i < in_flight; i++)
		CHECK(cuEventCreate(&tally.done[i], CU_EVENT_DISABLE_TIMING));
	double start = seconds_now(), since = start, now = start;
	for (; now - start < (double)plan->seconds; now = seconds_now(), place = (place + 1) % in_flight) {
		await_place(&tally, place);
		if (plan->report && now - since >= 1) {
			print_share("last second", tally.launches - before.launches, tally.busy_ns - before.busy_ns, plan,
				    now - since);
			before = tally;
			since = now;
		}
		launch_in(&tally, place, plan, kernel);
	}
	for (unsigned i = 0; i < in_flight; i++)
		await_place(&tally, i);
	print_share("total", tally.launches, tally.busy_ns, plan, seconds_now() - start);
	for (unsigned i = 0; i < in_flight; i++)
		CHECK(cuEventDestroy_v2(tally.done[i]));
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
	complete(&plan, kernel);
	if (plan.launch == launch_graph || plan.launch == launch_graph_per_thread)
		make_graph(&plan, kernel);
	if (plan.after)
		sleep_seconds((double)plan.after);
	burn(kernel, &plan);
	if (graph)
		CHECK(cuGraphExecDestroy(graph));
	CHECK(cuModuleUnload(module));
	CHECK(cuDevicePrimaryCtxRelease_v2(device));
	return 0;
}
