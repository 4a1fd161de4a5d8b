/*
 * graphs: what programs do with CUDA graphs. Fills a device with memory that graphs allocate, replays one as PyTorch
 * does, and tells what a capture has recorded.
 */
#include "common.h"

#include <pthread.h>

static const char usage[] =
	"usage: graphs fill [--step 64m] [--how node|capture|moved|upload|instantiate|streams|auto]\n"
	"                   [--free memory|async|node] [--cycles N] [--hold SECONDS] [--max N]\n"
	"                   [--on DEVICE] [--iterations N]\n"
	"       graphs replay [--step 64m] [--graphs N] [--launches N] [--iterations N]\n"
	"       graphs crowd [--launches N]\n"
	"       graphs train [--launches N]\n"
	"       graphs nodes\n"
	"  fill    launches graphs that each allocate a step until the driver refuses, and frees it all, N times\n"
	"          --how   node: cuGraphAddMemAllocNode; capture: cuMemAllocAsync in a captured stream;\n"
	"                  moved: in a child graph; upload: uploaded before it is launched; instantiate: the same in\n"
	"                  one call; streams: freed within the graph, each in a stream of its own behind a kernel of\n"
	"                  N iterations; auto: launched twice, the second time freeing what the first left\n"
	"          --free  memory: cuMemFree; async: cuMemFreeAsync; node: by another graph\n"
	"  replay  launches N graphs in turn, each of which allocates a step, runs a kernel and frees\n"
	"  crowd   launches such graphs of several sizes from four threads, refused or not, and fills afterwards\n"
	"  train   captures a step in a side stream with its own pool of memory, and replays it\n"
	"  nodes   prints the nodes and edges of a capture that forks and joins\n"
	"Exit code 0: done, or refused with CUDA_ERROR_OUT_OF_MEMORY; 1: anything else; 2: wrong usage.\n";

struct plan {
	const char *how, *free;
	uint64_t step, cycles, hold, max, graphs, launches, iterations, on;
};

#define MOST_GRAPHS 4096

static CUdevice device; /* whose memory the graphs take */
static CUstream stream;

struct made {
	CUgraph graph;
	CUgraphExec exec;
	CUdeviceptr address;
};

static struct made all[MOST_GRAPHS];

static CUfunction kernel(const char *name)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static const char image[] = ".version 7.0\n.target sm_52\n.address_size 64\n"
				    ".visible .entry work(.param .u64 count) {\n.reg .u64 %rd<4>;\n.reg .pred %p;\n"
				    "ld.param.u64 %rd1, [count];\nmov.u64 %rd2, 0;\nmore: add.u64 %rd2, %rd2, 1;\n"
				    "setp.lt.u64 %p, %rd2, %rd1;\n@%p bra more;\nret;\n}\n";
	static CUmodule module;
	CUfunction function;
	pthread_mutex_lock(&lock);
	if (!module)
		CHECK(cuModuleLoadData(&module, image));
	pthread_mutex_unlock(&lock);
	CHECK(cuModuleGetFunction(&function, module, name));
	return function;
}

static void launch_kernel(CUstream where, uint64_t iterations)
{
	void *arguments[] = {&iterations};
	CHECK(cuLaunchKernel(kernel("work"), 1, 1, 1, 32, 1, 1, 0, where, arguments, NULL));
}

static CUgraphNode add_allocation(CUgraph graph, uint64_t bytes, CUdeviceptr *address)
{
	CUgraphNode node;
	CUDA_MEM_ALLOC_NODE_PARAMS_v1 parameters = {
		.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
			      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device}},
		.bytesize = bytes,
	};
	CHECK(cuGraphAddMemAllocNode(&node, graph, NULL, 0, &parameters));
	*address = parameters.dptr;
	return node;
}

static void capture_allocation(struct made *made, uint64_t bytes)
{
	CHECK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	CHECK(cuMemAllocAsync(&made->address, bytes, stream));
	CHECK(cuStreamEndCapture(stream, &made->graph));
}

/* The parent owns the child, so that it may have memory nodes. */
static void move_child(struct made *made, uint64_t bytes)
{
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_GRAPH};
	CUgraphNode node;
	CHECK(cuGraphCreate(&parameters.child.graph, 0));
	add_allocation(parameters.child.graph, bytes, &made->address);
	parameters.child.ownership = 1;
	CHECK(cuGraphCreate(&made->graph, 0));
	CHECK(cuGraphAddNode_v2(&node, made->graph, NULL, NULL, 0, &parameters));
}

static bool is(const char *text, const char *word)
{
	return strcmp(text, word) == 0;
}

/* With the upload in the same call. */
static CUresult instantiate_and_upload(struct made *made)
{
	CUDA_GRAPH_INSTANTIATE_PARAMS parameters = {.flags = CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD,
						    .hUploadStream = stream};
	return cuGraphInstantiateWithParams(&made->exec, made->graph, &parameters);
}

static CUresult make(const struct plan *plan, struct made *made)
{
	unsigned flags = is(plan->how, "auto") ? CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH : 0;
	made->exec = NULL;
	if (is(plan->how, "capture")) {
		capture_allocation(made, plan->step);
	} else if (is(plan->how, "moved")) {
		move_child(made, plan->step);
	} else {
		CHECK(cuGraphCreate(&made->graph, 0));
		CUgraphNode node = add_allocation(made->graph, plan->step, &made->address);
		if (is(plan->how, "streams"))
			CHECK(cuGraphAddMemFreeNode(&node, made->graph, &node, 1, made->address));
	}
	return is(plan->how, "instantiate") ? instantiate_and_upload(made)
					    : cuGraphInstantiateWithFlags(&made->exec, made->graph, flags);
}

/* What is freed within a graph would be used again by the next one in the stream, or after its end. */
static CUresult launch_apart(const struct plan *plan, const struct made *made)
{
	CUstream own;
	CHECK(cuStreamCreate(&own, CU_STREAM_NON_BLOCKING));
	launch_kernel(own, plan->iterations);
	return cuGraphLaunch(made->exec, own);
}

static CUresult launch(const struct plan *plan, const struct made *made)
{
	if (is(plan->how, "streams"))
		return launch_apart(plan, made);
	CUresult result = is(plan->how, "upload") ? cuGraphUpload(made->exec, stream) : CUDA_SUCCESS;
	if (result == CUDA_SUCCESS)
		result = cuGraphLaunch(made->exec, stream);
	return result == CUDA_SUCCESS && is(plan->how, "auto") ? cuGraphLaunch(made->exec, stream) : result;
}

static void free_by_node(CUdeviceptr address)
{
	CUgraph graph;
	CUgraphExec exec;
	CUgraphNode node;
	CHECK(cuGraphCreate(&graph, 0));
	CHECK(cuGraphAddMemFreeNode(&node, graph, NULL, 0, address));
	CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0));
	CHECK(cuGraphLaunch(exec, stream));
	CHECK(cuGraphExecDestroy(exec));
	CHECK(cuGraphDestroy(graph));
}

static void release(const struct plan *plan, const struct made *made, bool launched)
{
	if (launched && !is(plan->how, "streams")) {
		if (is(plan->free, "async"))
			CHECK(cuMemFreeAsync(made->address, stream));
		else if (is(plan->free, "node"))
			free_by_node(made->address);
		else
			CHECK(cuMemFree_v2(made->address));
	}
	if (made->exec)
		CHECK(cuGraphExecDestroy(made->exec));
	CHECK(cuGraphDestroy(made->graph));
}

static uint64_t reserved_mib(void)
{
	cuuint64_t bytes;
	CHECK(cuDeviceGetGraphMemAttribute(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &bytes));
	return bytes / MIB;
}

static int fill_once(const struct plan *plan)
{
	uint64_t steps = 0;
	CUresult result = CUDA_SUCCESS;
	while (steps < plan->max && result == CUDA_SUCCESS) {
		result = make(plan, &all[steps]);
		if (result == CUDA_SUCCESS)
			result = launch(plan, &all[steps]);
		steps += result == CUDA_SUCCESS;
	}
	printf("granted %llu MiB in %llu steps, reserved %llu MiB, then %s\n",
	       (unsigned long long)(steps * plan->step / MIB), (unsigned long long)steps,
	       (unsigned long long)reserved_mib(), result == CUDA_SUCCESS ? "stopped" : error_name(result));
	fflush(stdout);
	if (plan->hold)
		sleep_seconds((double)plan->hold);
	CHECK(cuCtxSynchronize());
	for (uint64_t i = 0; i < steps; i++)
		release(plan, &all[i], true);
	if (result != CUDA_SUCCESS)
		release(plan, &all[steps], false);
	CHECK(cuCtxSynchronize());
	CHECK(cuDeviceGraphMemTrim(device));
	return result == CUDA_SUCCESS || result == CUDA_ERROR_OUT_OF_MEMORY ? 0 : 1;
}

static int fill(const struct plan *plan)
{
	int code = 0;
	for (uint64_t i = 0; i < plan->cycles; i++)
		code |= fill_once(plan);
	return code;
}

static void make_passing(const struct plan *plan, struct made *made)
{
	void *arguments[] = {(void *)&plan->iterations};
	CUDA_KERNEL_NODE_PARAMS_v2 work = {.func = kernel("work"), .gridDimX = 1, .gridDimY = 1, .gridDimZ = 1,
					   .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1, .kernelParams = arguments};
	CHECK(cuGraphCreate(&made->graph, 0));
	CUgraphNode node = add_allocation(made->graph, plan->step, &made->address);
	CHECK(cuGraphAddKernelNode_v2(&node, made->graph, &node, 1, &work));
	CHECK(cuGraphAddMemFreeNode(&node, made->graph, &node, 1, made->address));
	CHECK(cuGraphInstantiateWithFlags(&made->exec, made->graph, 0));
}

static int replay(const struct plan *plan)
{
	uint64_t done = 0;
	CUresult result = CUDA_SUCCESS;
	for (uint64_t i = 0; i < plan->graphs; i++)
		make_passing(plan, &all[i]);
	for (; done < plan->launches && result == CUDA_SUCCESS; done += result == CUDA_SUCCESS)
		result = cuGraphLaunch(all[done % plan->graphs].exec, stream);
	printf("launched %llu, reserved %llu MiB, then %s\n", (unsigned long long)done,
	       (unsigned long long)reserved_mib(), result == CUDA_SUCCESS ? "stopped" : error_name(result));
	CHECK(cuCtxSynchronize());
	return 0;
}

/* Launches of four sizes in a stream of its own; a refusal is as good as a grant. */
static void *launch_in_crowd(void *argument)
{
	const struct plan *plan = argument;
	struct made made[4];
	CUstream own;
	CUcontext context;
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuStreamCreate(&own, CU_STREAM_NON_BLOCKING));
	for (unsigned i = 0; i < 4; i++) {
		struct plan sized = {.step = (i + 1) * 150 * MIB, .iterations = 1};
		make_passing(&sized, &made[i]);
	}
	for (uint64_t i = 0; i < plan->launches; i++) {
		CUresult result = cuGraphLaunch(made[i % 4].exec, own);
		if (result != CUDA_ERROR_OUT_OF_MEMORY)
			CHECK(result);
		if (i % 7 == 0)
			CHECK(cuDeviceGraphMemTrim(device));
	}
	CHECK(cuStreamSynchronize(own));
	for (unsigned i = 0; i < 4; i++)
		CHECK(cuGraphExecDestroy(made[i].exec));
	return NULL;
}

static int crowd(const struct plan *plan)
{
	pthread_t threads[4];
	for (unsigned i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, launch_in_crowd, (void *)plan) != 0)
			return 1;
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(cuDeviceGraphMemTrim(device));
	return fill(plan);
}

/* An allocator that is asked in a capture, and may ask the driver for more: only not in the capture's own mode. */
static CUdeviceptr allocate_beside_the_capture(uint64_t bytes)
{
	CUdeviceptr address;
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	CHECK(cuThreadExchangeStreamCaptureMode(&mode));
	CHECK(cuMemAlloc_v2(&address, bytes));
	CHECK(cuThreadExchangeStreamCaptureMode(&mode));
	return address;
}

static int train(const struct plan *plan)
{
	CUdeviceptr pool[8];
	CUgraph graph;
	CUgraphExec exec;
	size_t nodes = 0, before, after, total;
	CHECK(cuMemGetInfo_v2(&before, &total));
	for (int i = 0; i < 3; i++) /* warm up */
		launch_kernel(stream, 1);
	CHECK(cuStreamSynchronize(stream));
	CHECK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	for (int i = 0; i < 8; i++) {
		pool[i] = allocate_beside_the_capture(20 * MIB);
		CHECK(cuMemsetD8Async(pool[i], 0, 20 * MIB, stream));
		launch_kernel(stream, 1);
	}
	CHECK(cuStreamEndCapture(stream, &graph));
	CHECK(cuGraphGetNodes(graph, NULL, &nodes));
	CHECK(cuGraphInstantiateWithFlags(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
	for (uint64_t i = 0; i < plan->launches; i++)
		CHECK(cuGraphLaunch(exec, stream));
	CHECK(cuStreamSynchronize(stream));
	CHECK(cuGraphExecDestroy(exec));
	CHECK(cuGraphDestroy(graph));
	for (int i = 0; i < 8; i++)
		CHECK(cuMemFree_v2(pool[i]));
	CHECK(cuMemGetInfo_v2(&after, &total));
	printf("replayed %llu of %zu nodes, %s\n", (unsigned long long)plan->launches, nodes,
	       before == after ? "all memory is back" : "memory is missing");
	return 0;
}

static CUgraph capture_a_fork(void)
{
	CUstream side;
	CUevent fork, join;
	CUgraph graph;
	CUdeviceptr memory;
	CHECK(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
	CHECK(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
	CHECK(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
	CHECK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	CHECK(cuMemAllocAsync(&memory, MIB, stream));
	for (int i = 0; i < 20; i++)
		launch_kernel(stream, 100);
	CHECK(cuEventRecord(fork, stream));
	CHECK(cuStreamWaitEvent(side, fork, 0));
	CHECK(cuMemsetD8Async(memory, 0, MIB, side));
	launch_kernel(stream, 100);
	CHECK(cuEventRecord(join, side));
	CHECK(cuStreamWaitEvent(stream, join, 0));
	CHECK(cuMemFreeAsync(memory, stream));
	CHECK(cuStreamEndCapture(stream, &graph));
	return graph;
}

static int print_nodes(const struct plan *plan)
{
	(void)plan;
	CUgraph graph = capture_a_fork();
	CUgraphNode nodes[64];
	size_t count = 64, edges = 0;
	CHECK(cuGraphGetNodes(graph, nodes, &count));
	CHECK(cuGraphGetEdges(graph, NULL, NULL, &edges));
	for (size_t i = 0; i < count; i++) {
		CUgraphNodeType type;
		CHECK(cuGraphNodeGetType(nodes[i], &type));
		printf("%d ", (int)type);
	}
	printf("with %zu edges\n", edges);
	return 0;
}

static const char *word_argument(const char *option, const char *text, const char *words)
{
	size_t length = text ? strlen(text) : 0;
	for (const char *word = words; *word; word += strcspn(word, " "), word += *word == ' ')
		if (length && strncmp(word, text, length) == 0 && (word[length] == ' ' || !word[length]))
			return text;
	fprintf(stderr, "%s: expected one of %s, not '%s'\n", option, words, text ? text : "nothing");
	exit(2);
}

static void read_option(struct plan *plan, const char *option, const char *value)
{
	if (is(option, "--step"))
		plan->step = size_argument(option, value);
	else if (is(option, "--how"))
		plan->how = word_argument(option, value, "node capture moved upload instantiate streams auto");
	else if (is(option, "--free"))
		plan->free = word_argument(option, value, "memory async node");
	else if (is(option, "--cycles"))
		plan->cycles = number_argument(option, value, 1, 1000000);
	else if (is(option, "--hold"))
		plan->hold = number_argument(option, value, 0, 3600);
	else if (is(option, "--max"))
		plan->max = number_argument(option, value, 1, MOST_GRAPHS - 1);
	else if (is(option, "--on"))
		plan->on = number_argument(option, value, 0, 63);
	else if (is(option, "--graphs"))
		plan->graphs = number_argument(option, value, 1, MOST_GRAPHS - 1);
	else if (is(option, "--launches"))
		plan->launches = number_argument(option, value, 1, 1000000000);
	else if (is(option, "--iterations"))
		plan->iterations = number_argument(option, value, 0, 1000000000);
	else {
		fputs(usage, stderr);
		exit(2);
	}
}

static const struct command {
	const char *name;
	int (*run)(const struct plan *plan);
} commands[] = {
	{"fill", fill}, {"replay", replay}, {"crowd", crowd}, {"train", train}, {"nodes", print_nodes},
};

static const struct command *command_argument(const char *name)
{
	for (size_t i = 0; name && i < sizeof commands / sizeof *commands; i++)
		if (is(name, commands[i].name))
			return &commands[i];
	fputs(usage, stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct plan plan = {.how = "node", .free = "memory", .step = 64 * MIB, .cycles = 1, .max = MOST_GRAPHS - 1,
			    .graphs = 1, .launches = 1000, .iterations = 1};
	const struct command *command = command_argument(argc > 1 ? argv[1] : NULL);
	for (int i = 2; i < argc; i += 2)
		read_option(&plan, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	use_device(0);
	device = (CUdevice)plan.on;
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	return command->run(&plan);
}
