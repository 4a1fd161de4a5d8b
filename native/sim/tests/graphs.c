/*
 * Graphs of the simulated driver: nodes and edges, executable copies, and the memory of launches as a card's driver
 * counts it.
 */
#include "check.h"

static CUstream stream;

static CUfunction function(const char *name)
{
	CUmodule module;
	CUfunction function;
	OK(cuModuleLoadData(&module, "image"));
	OK(cuModuleGetFunction(&function, module, name));
	return function;
}

static CUgraph new_graph(void)
{
	CUgraph graph;
	OK(cuGraphCreate(&graph, 0));
	return graph;
}

static CUgraphNode add_kernel(CUgraph graph, CUgraphNode after, uint64_t iterations)
{
	void *arguments[] = {&iterations};
	CUgraphNode node;
	CUDA_KERNEL_NODE_PARAMS_v2 kernel = {.func = function("work"), .gridDimX = 3, .gridDimY = 1, .gridDimZ = 1,
					     .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1,
					     .kernelParams = arguments};
	OK(cuGraphAddKernelNode_v2(&node, graph, after ? &after : NULL, after ? 1 : 0, &kernel));
	return node;
}

static CUgraphNode add_allocation(CUgraph graph, CUgraphNode after, uint64_t bytes, CUdeviceptr *address)
{
	CUgraphNode node;
	CUDA_MEM_ALLOC_NODE_PARAMS_v1 allocation = {
		.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
			      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}},
		.bytesize = bytes,
	};
	OK(cuGraphAddMemAllocNode(&node, graph, after ? &after : NULL, after ? 1 : 0, &allocation));
	*address = allocation.dptr;
	return node;
}

static CUgraphNode add_free(CUgraph graph, CUgraphNode after, CUdeviceptr address)
{
	CUgraphNode node;
	OK(cuGraphAddMemFreeNode(&node, graph, &after, 1, address));
	return node;
}

static CUgraphExec make_exec(CUgraph graph, unsigned flags)
{
	CUgraphExec exec;
	OK(cuGraphInstantiateWithFlags(&exec, graph, flags));
	return exec;
}

static uint64_t reserved_mib(void)
{
	cuuint64_t bytes;
	OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &bytes));
	return bytes / MIB;
}

static void trim(void)
{
	OK(cuCtxSynchronize());
	OK(cuDeviceGraphMemTrim(0));
}

static void use_stream(void)
{
	use_card(0);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
}

static void a_graph_tells_its_nodes_and_edges(void)
{
	use_stream();
	CUgraph graph = new_graph(), clone;
	CUgraphNode first = add_kernel(graph, NULL, 1), second = add_kernel(graph, first, 1);
	CUgraphNode nodes[4], from[2], to[2];
	size_t count = 0;
	OK(cuGraphGetNodes(graph, NULL, &count));
	EXPECT(2, count);
	count = 4;
	OK(cuGraphGetNodes(graph, nodes, &count));
	EXPECT(2, count);
	EXPECT(true, nodes[0] == first && nodes[1] == second && !nodes[2]);
	count = 4;
	OK(cuGraphGetRootNodes(graph, nodes, &count));
	EXPECT(1, count);
	count = 2;
	OK(cuGraphGetEdges(graph, from, to, &count));
	EXPECT(1, count);
	EXPECT(true, from[0] == first && to[0] == second);
	OK(cuGraphClone(&clone, graph));
	OK(cuGraphNodeFindInClone(&nodes[0], second, clone));
	count = 1;
	OK(cuGraphNodeGetDependencies(nodes[0], &nodes[1], &count));
	EXPECT(1, count);
	OK(cuGraphDestroyNode(first));
	count = 0;
	OK(cuGraphGetNodes(graph, NULL, &count));
	EXPECT(1, count);
	OK(cuGraphDestroy(graph));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGraphDestroy(graph));
}

static void a_kernel_node_gives_back_what_it_was_given(void)
{
	use_stream();
	CUgraph graph = new_graph();
	CUDA_KERNEL_NODE_PARAMS_v1 kernel;
	OK(cuGraphKernelNodeGetParams(add_kernel(graph, NULL, 77), &kernel));
	EXPECT(3, kernel.gridDimX);
	EXPECT(32, kernel.blockDimX);
	EXPECT(77, *(uint64_t *)kernel.kernelParams[0]);
}

static void a_cycle_cannot_be_run(void)
{
	use_stream();
	CUgraph graph = new_graph();
	CUgraphNode first = add_kernel(graph, NULL, 1), second = add_kernel(graph, first, 1);
	CUgraphExec exec;
	OK(cuGraphAddDependencies(graph, &second, &first, 1));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGraphInstantiateWithFlags(&exec, graph, 0));
}

/* Microseconds that one launch of the executable graph takes the card. */
static double took_us(CUgraphExec exec)
{
	CUevent start, end;
	float milliseconds;
	OK(cuEventCreate(&start, CU_EVENT_DEFAULT));
	OK(cuEventCreate(&end, CU_EVENT_DEFAULT));
	OK(cuStreamSynchronize(stream));
	OK(cuEventRecord(start, stream));
	OK(cuGraphLaunch(exec, stream));
	OK(cuEventRecord(end, stream));
	OK(cuEventSynchronize(end));
	OK(cuEventElapsedTime(&milliseconds, start, end));
	return (double)milliseconds * 1e3;
}

static void a_launch_takes_as_long_as_all_its_kernels(void)
{
	use_stream();
	CUgraph child = new_graph(), graph = new_graph();
	add_kernel(child, NULL, 20000);
	CUgraphNode node, first = add_kernel(graph, NULL, 10000);
	OK(cuGraphAddChildGraphNode(&node, graph, &first, 1, child));
	CUgraphExec exec = make_exec(graph, 0);
	EXPECT(true, took_us(exec) >= 30000);
	uint64_t iterations = 1;
	void *arguments[] = {&iterations};
	CUDA_KERNEL_NODE_PARAMS_v2 shorter;
	OK(cuGraphKernelNodeGetParams_v2(first, &shorter));
	shorter.kernelParams = arguments;
	OK(cuGraphExecKernelNodeSetParams_v2(exec, first, &shorter));
	double now = took_us(exec);
	EXPECT(true, now >= 20001 && now < 30000);
	OK(cuGraphNodeSetEnabled(exec, first, 0));
	CUgraphExecUpdateResultInfo info;
	OK(cuGraphExecUpdate_v2(exec, graph, &info));
	EXPECT(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, cuGraphExecUpdate_v2(exec, child, &info));
	EXPECT(CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, info.result);
}

static void count_call(void *calls)
{
	++*(int *)calls;
}

static void functions_of_the_host_are_called(void)
{
	use_stream();
	int calls = 0;
	CUgraph graph = new_graph();
	CUgraphNode node;
	OK(cuGraphAddHostNode(&node, graph, NULL, 0, &(CUDA_HOST_NODE_PARAMS_v1){count_call, &calls}));
	CUgraphExec exec = make_exec(graph, 0);
	OK(cuGraphLaunch(exec, stream));
	OK(cuGraphLaunch(exec, stream));
	OK(cuStreamSynchronize(stream));
	EXPECT(2, calls);
}

/*
 * What a card reserved for a launch of these allocations, in MiB; 0 ends them, and a negative one frees that of
 * before.
 */
static void one_launch_reserves(uint64_t expected, const int *sizes)
{
	CUgraph graph = new_graph();
	CUgraphNode last = NULL;
	CUdeviceptr address = 0;
	for (; *sizes; sizes++)
		last = *sizes > 0 ? add_allocation(graph, last, (uint64_t)*sizes * MIB, &address)
				  : add_free(graph, last, address);
	CUgraphExec exec = make_exec(graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
	EXPECT(0, reserved_mib());
	OK(cuGraphLaunch(exec, stream));
	EXPECT(expected, reserved_mib());
	OK(cuGraphLaunch(exec, stream));
	EXPECT(expected, reserved_mib());
	OK(cuCtxSynchronize());
	/* Nobody but another launch frees what outlived it, so the process that made it ends with it. */
	_exit(0);
}

/* Each pair is a measurement on an H100. */
static void memory_is_reserved_in_pieces_of_32_mib(void)
{
	static const struct {
		uint64_t reserved;
		int sizes[21];
	} seen[] = {
		{128, {100}},
		{64, {50}},
		{128, {50, 50}},
		{64, {50, -1, 50}},
		{192, {50, -1, 100, -1}},
		{128, {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}},
		{128, {33, 33}},
		{96, {31, 31, 31}},
		{128, {1, 31, 1, 64}},
	};
	for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
		pid_t child = fork();
		if (child == 0) {
			use_stream();
			one_launch_reserves(seen[i].reserved, seen[i].sizes);
		}
		expect_child(child);
	}
}

static CUgraphExec passing(uint64_t bytes)
{
	CUdeviceptr address;
	CUgraph graph = new_graph();
	CUgraphNode node = add_allocation(graph, NULL, bytes, &address);
	add_kernel(graph, add_free(graph, node, address), 50000);
	return make_exec(graph, 0);
}

static void graphs_share_memory_that_is_not_in_use(void)
{
	use_stream();
	CUstream other;
	CUgraphExec one = passing(100 * MIB), two = passing(100 * MIB);
	uint64_t before = free_mib();
	OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	OK(cuGraphLaunch(one, stream));
	OK(cuGraphLaunch(two, stream));
	EXPECT(128, reserved_mib());
	EXPECT(before - 128, free_mib());
	OK(cuGraphLaunch(two, other)); /* while both are under way in the first stream */
	EXPECT(256, reserved_mib());
	OK(cuDeviceGraphMemTrim(0));
	EXPECT(256, reserved_mib());
	OK(cuCtxSynchronize());
	OK(cuGraphLaunch(one, other));
	EXPECT(256, reserved_mib());
	OK(cuGraphExecDestroy(one));
	OK(cuGraphExecDestroy(two));
	trim();
	EXPECT(0, reserved_mib());
	EXPECT(before, free_mib());
}

static void what_outlives_its_graph_is_freed_once_and_by_anything(void)
{
	use_stream();
	CUdeviceptr address;
	CUgraph graph = new_graph(), freeing = new_graph();
	add_allocation(graph, NULL, 100 * MIB, &address);
	CUgraphExec exec = make_exec(graph, 0), again;
	CUgraph clone;
	EXPECT(CUDA_ERROR_NOT_SUPPORTED, cuGraphInstantiateWithFlags(&again, graph, 0));
	EXPECT(CUDA_ERROR_NOT_SUPPORTED, cuGraphClone(&clone, graph));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(address));
	OK(cuGraphLaunch(exec, stream));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGraphLaunch(exec, stream));
	OK(cuMemFreeAsync(address, stream));
	OK(cuGraphLaunch(exec, stream));
	OK(cuGraphExecDestroy(exec));
	trim();
	EXPECT(128, reserved_mib());
	OK(cuMemFree_v2(address));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(address));
	trim();
	EXPECT(0, reserved_mib());
	exec = make_exec(graph, 0);
	CUgraphNode node;
	OK(cuGraphAddMemFreeNode(&node, freeing, NULL, 0, address));
	CUgraphExec free_exec = make_exec(freeing, 0);
	for (int i = 0; i < 2; i++) {
		OK(cuGraphLaunch(exec, stream));
		OK(cuGraphLaunch(free_exec, stream));
	}
	trim();
	EXPECT(0, reserved_mib());
}

static void a_launch_without_room_takes_nothing(void)
{
	use_stream();
	CUdeviceptr address, big;
	CUgraph graph = new_graph();
	add_allocation(graph, NULL, 600 * MIB, &address);
	CUgraphExec exec = make_exec(graph, 0);
	OK(cuMemAlloc_v2(&big, 700 * MIB));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuGraphLaunch(exec, stream));
	EXPECT(0, reserved_mib());
	OK(cuMemFree_v2(big));
	OK(cuGraphUpload(exec, stream));
	EXPECT(608, reserved_mib());
	OK(cuGraphLaunch(exec, stream));
	EXPECT(608, reserved_mib());
}

static void a_context_leaves_the_memory_of_its_graphs(void)
{
	use_stream();
	uint64_t before = free_mib();
	OK(cuGraphLaunch(passing(100 * MIB), stream));
	OK(cuCtxSynchronize());
	OK(cuDevicePrimaryCtxReset_v2(0));
	EXPECT(128, reserved_mib());
	use_stream();
	EXPECT(before - 128, free_mib());
	trim();
	EXPECT(before, free_mib());
}

static void only_the_highest_values_can_be_reset(void)
{
	use_stream();
	cuuint64_t value;
	OK(cuGraphLaunch(passing(100 * MIB), stream));
	trim();
	OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &value));
	EXPECT(128 * MIB, value);
	value = 5;
	EXPECT(CUDA_ERROR_INVALID_VALUE,
	       cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &value));
	value = 0;
	EXPECT(CUDA_ERROR_INVALID_VALUE,
	       cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &value));
	OK(cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &value));
	OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &value));
	EXPECT(0, value);
}

int main(void)
{
	use_machine(CARD_A);
	in_child(a_graph_tells_its_nodes_and_edges);
	in_child(a_kernel_node_gives_back_what_it_was_given);
	in_child(a_cycle_cannot_be_run);
	in_child(a_launch_takes_as_long_as_all_its_kernels);
	in_child(functions_of_the_host_are_called);
	memory_is_reserved_in_pieces_of_32_mib();
	in_child(graphs_share_memory_that_is_not_in_use);
	in_child(what_outlives_its_graph_is_freed_once_and_by_anything);
	in_child(a_launch_without_room_takes_nothing);
	in_child(a_context_leaves_the_memory_of_its_graphs);
	in_child(only_the_highest_values_can_be_reset);
	remove_machine();
	return 0;
}
