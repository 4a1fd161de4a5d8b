/* Captures of the simulated driver. Each answer is one that a card's driver gave (H100, 580.159.04). */
#include "check.h"

#include <pthread.h>

static CUstream stream, other;
static CUevent event;
static CUdeviceptr memory;

static void use_streams(void)
{
	use_card(0);
	OK(cuStreamCreate(&stream, 0));
	OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&event, CU_EVENT_DEFAULT));
	OK(cuMemAlloc_v2(&memory, 4096));
}

static void begin(CUstreamCaptureMode mode)
{
	OK(cuStreamBeginCapture_v2(stream, mode));
}

static void expect_end(CUresult expected)
{
	CUgraph graph = (CUgraph)1;
	EXPECT(expected, cuStreamEndCapture(stream, &graph));
	EXPECT(expected != CUDA_SUCCESS, graph == NULL);
}

static CUstreamCaptureStatus status_of(CUstream asked)
{
	CUstreamCaptureStatus status;
	OK(cuStreamIsCapturing(asked, &status));
	return status;
}

static void launch(CUstream where)
{
	CUmodule module;
	CUfunction function;
	OK(cuModuleLoadData(&module, "image"));
	OK(cuModuleGetFunction(&function, module, "any"));
	OK(cuLaunchKernel(function, 5, 1, 1, 64, 1, 1, 0, where, NULL, NULL));
}

static void a_capture_is_ended_once(void)
{
	CUgraph graph;
	use_streams();
	EXPECT(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture(stream, &graph));
	begin(CU_STREAM_CAPTURE_MODE_GLOBAL);
	EXPECT(CUDA_ERROR_ILLEGAL_STATE, cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	EXPECT(CU_STREAM_CAPTURE_STATUS_ACTIVE, status_of(stream));
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status_of(other));
	expect_end(CUDA_SUCCESS);
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status_of(stream));
	EXPECT(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamBeginCapture_v2(NULL, CU_STREAM_CAPTURE_MODE_GLOBAL));
}

static void spoiled_by(CUstreamCaptureMode mode, CUresult expected, CUresult (*call)(void))
{
	begin(mode);
	EXPECT(expected, call());
	expect_end(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

static CUresult free_memory(void)
{
	return cuMemFree_v2(memory);
}

static CUresult allocate(void)
{
	CUdeviceptr pointer;
	return cuMemAlloc_v2(&pointer, 4096);
}

static CUresult allocate_elsewhere(void)
{
	CUdeviceptr pointer;
	return cuMemAllocAsync(&pointer, 4096, other);
}

static CUresult query_stream(void)
{
	return cuStreamQuery(stream);
}

static CUresult wait_for_stream(void)
{
	return cuStreamSynchronize(stream);
}

static CUresult query_other(void)
{
	return cuStreamQuery(other);
}

static CUresult query_event(void)
{
	return cuEventQuery(event);
}

static CUresult query_captured_event(void)
{
	OK(cuEventRecord(event, stream));
	return cuEventQuery(event);
}

static CUresult wait_for_outside(void)
{
	CUevent outside;
	OK(cuEventCreate(&outside, CU_EVENT_DEFAULT));
	OK(cuEventRecord(outside, other));
	return cuStreamWaitEvent(stream, outside, 0);
}

static CUresult record_in_default_stream(void)
{
	return cuEventRecord(event, NULL);
}

static CUresult launch_graph(void)
{
	CUgraph graph;
	CUgraphExec exec;
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	OK(cuGraphCreate(&graph, 0));
	OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	return cuGraphLaunch(exec, stream);
}

static void what_does_not_belong_in_a_capture_spoils_it(void)
{
	use_streams();
	const CUstreamCaptureMode global = CU_STREAM_CAPTURE_MODE_GLOBAL, relaxed = CU_STREAM_CAPTURE_MODE_RELAXED;
	const CUresult unsupported = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	spoiled_by(global, unsupported, free_memory);
	spoiled_by(global, unsupported, allocate);
	spoiled_by(global, unsupported, allocate_elsewhere);
	spoiled_by(global, unsupported, query_stream);
	spoiled_by(relaxed, unsupported, wait_for_stream);
	spoiled_by(global, unsupported, query_other);
	spoiled_by(global, unsupported, query_event);
	spoiled_by(global, unsupported, cuCtxSynchronize);
	spoiled_by(relaxed, unsupported, launch_graph);
	spoiled_by(relaxed, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, record_in_default_stream);
	spoiled_by(relaxed, CUDA_ERROR_CAPTURED_EVENT, query_captured_event);
	spoiled_by(relaxed, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, wait_for_outside);
}

static void a_relaxed_thread_may_do_what_it_likes_elsewhere(void)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	CUevent made;
	size_t free_bytes, total;
	use_streams();
	begin(CU_STREAM_CAPTURE_MODE_RELAXED);
	OK(allocate());
	expect_end(CUDA_SUCCESS);
	begin(CU_STREAM_CAPTURE_MODE_GLOBAL);
	OK(cuMemGetInfo_v2(&free_bytes, &total));
	OK(cuEventCreate(&made, 0));
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	OK(query_event());
	OK(allocate());
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	launch(other);
	expect_end(CUDA_SUCCESS);
}

static void *allocate_in_thread(void *context)
{
	OK(cuCtxSetCurrent(context));
	return (void *)(intptr_t)allocate();
}

static void *end_in_thread(void *context)
{
	CUgraph graph;
	OK(cuCtxSetCurrent(context));
	return (void *)(intptr_t)cuStreamEndCapture(stream, &graph);
}

static CUresult in_thread(void *(*run)(void *))
{
	pthread_t thread;
	CUcontext context;
	void *result;
	OK(cuCtxGetCurrent(&context));
	OK(pthread_create(&thread, NULL, run, context));
	OK(pthread_join(thread, &result));
	return (CUresult)(intptr_t)result;
}

static void other_threads_spoil_a_capture_of_global_mode_only(void)
{
	use_streams();
	begin(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
	OK(in_thread(allocate_in_thread));
	EXPECT(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, in_thread(end_in_thread));
	expect_end(CUDA_SUCCESS);
	begin(CU_STREAM_CAPTURE_MODE_GLOBAL);
	EXPECT(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, in_thread(allocate_in_thread));
	expect_end(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

static void a_fork_that_joins_again_is_one_graph(void)
{
	CUgraph graph;
	CUgraphNode nodes[8];
	CUgraphNodeType types[4];
	CUevent back;
	size_t nodes_count = 8, edges = 0;
	use_streams();
	OK(cuEventCreate(&back, 0));
	begin(CU_STREAM_CAPTURE_MODE_GLOBAL);
	launch(stream);
	OK(cuEventRecord(event, stream));
	OK(cuStreamWaitEvent(other, event, 0));
	EXPECT(CU_STREAM_CAPTURE_STATUS_ACTIVE, status_of(other));
	launch(stream);
	OK(cuMemsetD8Async(memory, 0, 16, other));
	OK(cuEventRecord(back, other));
	OK(cuStreamWaitEvent(stream, back, 0));
	OK(cuMemcpyDtoDAsync_v2(memory, memory + 64, 16, stream));
	OK(cuStreamEndCapture(stream, &graph));
	OK(cuGraphGetNodes(graph, nodes, &nodes_count));
	EXPECT(4, nodes_count);
	for (int i = 0; i < 4; i++)
		OK(cuGraphNodeGetType(nodes[i], &types[i]));
	EXPECT(CU_GRAPH_NODE_TYPE_KERNEL, types[0]);
	EXPECT(CU_GRAPH_NODE_TYPE_KERNEL, types[1]);
	EXPECT(CU_GRAPH_NODE_TYPE_MEMSET, types[2]);
	EXPECT(CU_GRAPH_NODE_TYPE_MEMCPY, types[3]);
	OK(cuGraphGetEdges(graph, NULL, NULL, &edges));
	EXPECT(4, edges);
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status_of(other));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuStreamWaitEvent(other, event, 0));
	OK(cuEventRecord(event, other));
	OK(cuStreamWaitEvent(other, event, 0));
}

static void a_fork_that_does_not_join_ends_the_capture(void)
{
	CUgraph graph;
	use_streams();
	begin(CU_STREAM_CAPTURE_MODE_RELAXED);
	OK(cuEventRecord(event, stream));
	OK(cuStreamWaitEvent(other, event, 0));
	EXPECT(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, cuStreamEndCapture(other, &graph));
	expect_end(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	begin(CU_STREAM_CAPTURE_MODE_RELAXED);
	OK(cuEventRecord(event, stream));
	OK(cuStreamWaitEvent(other, event, 0));
	launch(other);
	expect_end(CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status_of(stream));
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status_of(other));
}

static void allocations_become_nodes(void)
{
	CUdeviceptr pointer, outside;
	CUgraph graph;
	CUgraphNode nodes[4];
	CUDA_MEM_ALLOC_NODE_PARAMS_v1 parameters;
	size_t count = 4;
	use_streams();
	OK(cuMemAllocAsync(&outside, 1024, stream));
	OK(cuStreamSynchronize(stream));
	uint64_t before = free_mib();
	begin(CU_STREAM_CAPTURE_MODE_RELAXED);
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFreeAsync(outside, stream));
	OK(cuMemAllocAsync(&pointer, 100 * MIB, stream));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(pointer));
	OK(cuMemsetD8Async(pointer, 0, 100 * MIB, stream));
	OK(cuMemFreeAsync(pointer, stream));
	OK(cuStreamEndCapture(stream, &graph));
	EXPECT(before, free_mib());
	OK(cuGraphGetNodes(graph, nodes, &count));
	EXPECT(3, count);
	OK(cuGraphMemAllocNodeGetParams(nodes[0], &parameters));
	EXPECT(100 * MIB, parameters.bytesize);
	EXPECT(pointer, parameters.dptr);
	EXPECT(CU_MEM_LOCATION_TYPE_DEVICE, parameters.poolProps.location.type);
}

static void a_capture_tells_what_it_is_at(void)
{
	CUstreamCaptureStatus status;
	cuuint64_t id, first;
	CUgraph graph, own;
	const CUgraphNode *last;
	CUgraphNode node, nodes[2];
	size_t count;
	use_streams();
	OK(cuGraphCreate(&own, 0));
	OK(cuGraphAddEmptyNode(&node, own, NULL, 0));
	OK(cuStreamBeginCaptureToGraph(stream, own, &node, NULL, 1, CU_STREAM_CAPTURE_MODE_RELAXED));
	launch(stream);
	OK(cuStreamGetCaptureInfo_v2(stream, &status, &id, &graph, &last, &count));
	EXPECT(CU_STREAM_CAPTURE_STATUS_ACTIVE, status);
	EXPECT(true, graph == own);
	EXPECT(1, count);
	size_t before = 2;
	OK(cuGraphNodeGetDependencies(*last, nodes, &before));
	EXPECT(1, before);
	EXPECT(true, nodes[0] == node);
	OK(cuStreamUpdateCaptureDependencies(stream, &node, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
	OK(cuStreamGetCaptureInfo_v2(stream, &status, &first, NULL, &last, &count));
	EXPECT(true, first == id && *last == node);
	EXPECT(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, cuStreamIsCapturing(NULL, &status));
	expect_end(CUDA_SUCCESS);
	OK(cuStreamGetCaptureInfo(stream, &status, NULL));
	EXPECT(CU_STREAM_CAPTURE_STATUS_NONE, status);
}

static void a_stream_takes_its_capture_with_it(void)
{
	use_streams();
	begin(CU_STREAM_CAPTURE_MODE_GLOBAL);
	OK(cuStreamDestroy_v2(stream));
	OK(query_event());
}

int main(void)
{
	use_machine(CARD_A);
	in_child(a_capture_is_ended_once);
	in_child(what_does_not_belong_in_a_capture_spoils_it);
	in_child(a_relaxed_thread_may_do_what_it_likes_elsewhere);
	in_child(other_threads_spoil_a_capture_of_global_mode_only);
	in_child(a_fork_that_joins_again_is_one_graph);
	in_child(a_fork_that_does_not_join_ends_the_capture);
	in_child(allocations_become_nodes);
	in_child(a_capture_tells_what_it_is_at);
	in_child(a_stream_takes_its_capture_with_it);
	remove_machine();
	return 0;
}
