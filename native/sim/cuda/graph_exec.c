/*
 * Executable graphs. One is launched as one piece of work, as long as its kernels one after the other; its events are
 * recorded when all of that has ended. Functions of the host are called before the launch returns, at the end of the
 * work.
 */
#include "graph.h"

#include <string.h>

static CUgraphExec execs;

void graph_execs_forget(CUgraph source)
{
	driver_lock();
	for (CUgraphExec exec = execs; exec; exec = exec->next)
		if (exec->source == source)
			exec->source = NULL;
	driver_unlock();
}

/* A cycle leaves nodes that always wait for another. */
static bool has_order(CUgraph graph)
{
	size_t placed = 0;
	for (size_t i = 0; i < graph->node_count; i++)
		graph->nodes[i]->waiting = 0;
	for (size_t i = 0; i < graph->edge_count; i++)
		graph->edges[i].to->waiting++;
	for (bool found = true; found;) {
		found = false;
		for (size_t i = 0; i < graph->node_count; i++) {
			if (graph->nodes[i]->waiting != 0)
				continue;
			graph->nodes[i]->waiting = UINT32_MAX;
			found = true;
			placed++;
			for (size_t j = 0; j < graph->edge_count; j++)
				if (graph->edges[j].from == graph->nodes[i])
					graph->edges[j].to->waiting--;
		}
	}
	return placed == graph->node_count;
}

static CUgraphExec new_exec(CUgraph source, unsigned long long flags)
{
	CUgraph copy = graph_copy(source);
	if (!copy)
		return NULL;
	driver_lock();
	CUgraphExec exec = object_new(GRAPH_EXEC, sizeof *exec);
	if (exec) {
		exec->graph = copy;
		exec->source = source;
		exec->flags = flags;
		exec->next = execs;
		execs = exec;
		source->execs++;
	}
	driver_unlock();
	if (!exec)
		graph_end(copy);
	return exec;
}

static CUresult instantiate(CUgraphExec *out, CUgraph graph, unsigned long long flags)
{
	NEED_INIT();
	if (!out || !object_is(graph, GRAPH) || flags > 15)
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = capture_forbids();
	if (result != CUDA_SUCCESS)
		return result;
	if (graph->execs && graph_has_memory(graph))
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!has_order(graph))
		return CUDA_ERROR_INVALID_VALUE;
	CUgraphExec exec = new_exec(graph, flags);
	if (exec)
		*out = exec;
	return exec ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
	return instantiate(exec, graph, flags);
}

SIM_EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *text,
					  size_t text_bytes)
{
	if (error_node)
		*error_node = NULL;
	if (text && text_bytes)
		*text = '\0';
	return instantiate(exec, graph, 0);
}

SIM_EXPORT CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *text,
				       size_t text_bytes)
{
	return cuGraphInstantiate_v2(exec, graph, error_node, text, text_bytes);
}

static uint64_t duration_of(CUgraph graph)
{
	uint64_t ns = 0;
	for (size_t i = 0; i < graph->node_count; i++) {
		const struct CUgraphNode_st *node = graph->nodes[i];
		if (node->disabled)
			continue;
		ns += node->parameters.type == CU_GRAPH_NODE_TYPE_GRAPH ? duration_of(node->parameters.child.graph)
									: node->duration_ns;
	}
	return ns;
}

static CUresult wait_for_events(CUgraph graph, CUstream stream, bool per_thread)
{
	CUresult result = CUDA_SUCCESS;
	for (size_t i = 0; result == CUDA_SUCCESS && i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		if (parameters->type == CU_GRAPH_NODE_TYPE_WAIT_EVENT)
			result = per_thread ? cuStreamWaitEvent_ptsz(stream, parameters->event, 0)
					    : cuStreamWaitEvent(stream, parameters->event, 0);
		else if (parameters->type == CU_GRAPH_NODE_TYPE_GRAPH)
			result = wait_for_events(parameters->child.graph, stream, per_thread);
	}
	return result;
}

static void call_host(const CUDA_HOST_NODE_PARAMS_v1 *host, CUstream stream, bool per_thread)
{
	if (per_thread)
		cuStreamSynchronize_ptsz(stream);
	else
		cuStreamSynchronize(stream);
	host->fn(host->userData);
}

static void tell_host(CUgraph graph, CUstream stream, bool per_thread)
{
	for (size_t i = 0; i < graph->node_count; i++) {
		const struct CUgraphNode_st *node = graph->nodes[i];
		if (node->disabled)
			continue;
		if (node->parameters.type == CU_GRAPH_NODE_TYPE_EVENT_RECORD)
			(per_thread ? cuEventRecord_ptsz : cuEventRecord)(node->parameters.event, stream);
		else if (node->parameters.type == CU_GRAPH_NODE_TYPE_HOST)
			call_host(&node->parameters.host, stream, per_thread);
		else if (node->parameters.type == CU_GRAPH_NODE_TYPE_GRAPH)
			tell_host(node->parameters.child.graph, stream, per_thread);
	}
}

/* A launch in a stream that is being captured is refused, as a card's driver does (CUDA 13.0). */
static CUresult ready(CUgraphExec exec, CUstream stream, bool per_thread)
{
	NEED_INIT();
	if (!object_is(exec, GRAPH_EXEC))
		return CUDA_ERROR_INVALID_VALUE;
	return capture_refuses(stream, per_thread);
}

static CUresult launch(CUgraphExec exec, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = ready(exec, stream, per_thread);
	if (result == CUDA_SUCCESS)
		result = wait_for_events(exec->graph, stream, per_thread);
	if (result == CUDA_SUCCESS)
		result = graph_memory_before(exec, stream);
	if (result != CUDA_SUCCESS)
		return result;
	result = stream_run(stream, per_thread, duration_of(exec->graph));
	if (result == CUDA_SUCCESS)
		result = stream_tail(stream, per_thread, &context, &tail);
	graph_memory_after(stream, result == CUDA_SUCCESS ? tail : 0);
	if (result == CUDA_SUCCESS)
		tell_host(exec->graph, stream, per_thread);
	return result;
}

SIM_EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
	return launch(exec, stream, false);
}

SIM_EXPORT CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream)
{
	return launch(exec, stream, true);
}

/* Takes the memory of a launch and runs nothing. */
static CUresult upload(CUgraphExec exec, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = ready(exec, stream, per_thread);
	if (result == CUDA_SUCCESS)
		result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	result = graph_memory_upload(exec, stream);
	graph_memory_after(stream, tail);
	return result;
}

SIM_EXPORT CUresult cuGraphUpload(CUgraphExec exec, CUstream stream)
{
	return upload(exec, stream, false);
}

SIM_EXPORT CUresult cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream)
{
	return upload(exec, stream, true);
}

static CUresult instantiate_with(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *parameters,
				 bool per_thread)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = instantiate(exec, graph, parameters->flags);
	if (result == CUDA_SUCCESS && (parameters->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD))
		result = upload(*exec, parameters->hUploadStream, per_thread);
	parameters->hErrNode_out = NULL;
	parameters->result_out = result == CUDA_SUCCESS ? 0 : 1;
	return result;
}

SIM_EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph,
						 CUDA_GRAPH_INSTANTIATE_PARAMS *parameters)
{
	return instantiate_with(exec, graph, parameters, false);
}

SIM_EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *exec, CUgraph graph,
						      CUDA_GRAPH_INSTANTIATE_PARAMS *parameters)
{
	return instantiate_with(exec, graph, parameters, true);
}

/* The memory of its launches stays with the process, and what it allocated stays allocated. */
SIM_EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec)
{
	NEED_INIT();
	if (!object_is(exec, GRAPH_EXEC))
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = capture_forbids();
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	CUgraphExec *link = &execs;
	while (*link != exec)
		link = &(*link)->next;
	*link = exec->next;
	if (exec->source)
		exec->source->execs--;
	driver_unlock();
	graph_end(exec->graph);
	driver_lock();
	object_end(exec);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphExecGetFlags(CUgraphExec exec, cuuint64_t *flags)
{
	NEED_INIT();
	if (!flags || !object_is(exec, GRAPH_EXEC))
		return CUDA_ERROR_INVALID_VALUE;
	*flags = exec->flags;
	return CUDA_SUCCESS;
}

/* --- changes of an executable graph: its nodes are named by those of the graph that it was made of */

static CUgraphNode own_node(CUgraphExec exec, CUgraphNode node)
{
	for (size_t i = 0; object_is(exec, GRAPH_EXEC) && i < exec->graph->node_count; i++)
		if (exec->graph->nodes[i]->original == node)
			return exec->graph->nodes[i];
	return NULL;
}

SIM_EXPORT CUresult cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams *parameters)
{
	NEED_INIT();
	return parameters ? graph_set(own_node(exec, node), parameters) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
						      const CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	NEED_INIT();
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return graph_set(own_node(exec, node),
			 &(CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_KERNEL, .kernel = *parameters});
}

SIM_EXPORT CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
						   const CUDA_KERNEL_NODE_PARAMS_v1 *parameters)
{
	CUDA_KERNEL_NODE_PARAMS_v2 wide = {0};
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&wide, parameters, sizeof *parameters);
	return cuGraphExecKernelNodeSetParams_v2(exec, node, &wide);
}

static bool can_be_disabled(CUgraphNodeType type)
{
	return type == CU_GRAPH_NODE_TYPE_KERNEL || type == CU_GRAPH_NODE_TYPE_MEMSET ||
	       type == CU_GRAPH_NODE_TYPE_MEMCPY;
}

SIM_EXPORT CUresult cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int enabled)
{
	NEED_INIT();
	CUgraphNode own = own_node(exec, node);
	if (!own || !can_be_disabled(own->parameters.type))
		return CUDA_ERROR_INVALID_VALUE;
	own->disabled = !enabled;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphNodeGetEnabled(CUgraphExec exec, CUgraphNode node, unsigned int *enabled)
{
	NEED_INIT();
	CUgraphNode own = own_node(exec, node);
	if (!own || !enabled)
		return CUDA_ERROR_INVALID_VALUE;
	*enabled = !own->disabled;
	return CUDA_SUCCESS;
}

/* Nodes of the same types in the same order. */
static CUgraphExecUpdateResult compare(CUgraph own, CUgraph graph, CUgraphNode *culprit)
{
	if (own->node_count != graph->node_count || own->edge_count != graph->edge_count)
		return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
	for (size_t i = 0; i < own->node_count; i++) {
		*culprit = graph->nodes[i];
		if (own->nodes[i]->parameters.type != graph->nodes[i]->parameters.type)
			return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
	}
	*culprit = NULL;
	return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

static void update(CUgraph own, CUgraph graph)
{
	for (size_t i = 0; i < own->node_count; i++)
		graph_set(own->nodes[i], &graph->nodes[i]->parameters); /* memory nodes keep theirs */
}

SIM_EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	NEED_INIT();
	if (!info || !object_is(exec, GRAPH_EXEC) || !object_is(graph, GRAPH))
		return CUDA_ERROR_INVALID_VALUE;
	*info = (CUgraphExecUpdateResultInfo){.result = CU_GRAPH_EXEC_UPDATE_SUCCESS};
	info->result = compare(exec->graph, graph, &info->errorNode);
	if (info->result != CU_GRAPH_EXEC_UPDATE_SUCCESS)
		return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
	update(exec->graph, graph);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *error_node,
				      CUgraphExecUpdateResult *result)
{
	CUgraphExecUpdateResultInfo info = {0};
	CUresult answer = cuGraphExecUpdate_v2(exec, graph, &info);
	if (error_node)
		*error_node = info.errorNode;
	if (result)
		*result = info.result;
	return answer;
}
