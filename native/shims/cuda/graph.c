/*
 * Executable graphs as they are made, changed and destroyed. Their nodes are read once, when they are instantiated:
 * each costs the driver some ten nanoseconds there, and a launch then looks nothing up but the graph itself.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "samples.h"

_Atomic unsigned graphs_with_memory;

struct graph *graph_of(CUgraphExec exec)
{
	struct charge found;
	return charges_find(CHARGE_GRAPH, (uint64_t)(uintptr_t)exec, &found) ? found.object : NULL;
}

static void end(struct graph *graph)
{
	if (!graph)
		return;
	if (graph->share_count)
		atomic_fetch_sub(&graphs_with_memory, 1);
	free(graph->kernels);
	free(graph);
}

/* --- what its nodes are */

/* The first members of the parameters since CUDA 12 are those of before. */
static bool kernel_parameters(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	const struct cuda_real *real = cuda_real();
	if (real->cuGraphKernelNodeGetParams_v2)
		return real->cuGraphKernelNodeGetParams_v2(node, parameters) == CUDA_SUCCESS;
	return real->cuGraphKernelNodeGetParams &&
	       real->cuGraphKernelNodeGetParams(node, (CUDA_KERNEL_NODE_PARAMS_v1 *)parameters) == CUDA_SUCCESS;
}

static uint64_t kernel_key(const CUDA_KERNEL_NODE_PARAMS_v2 *kernel)
{
	const void *function = kernel->func ? (const void *)kernel->func : (const void *)kernel->kern;
	return estimate_key((uint64_t)(uintptr_t)function, kernel->gridDimX, kernel->gridDimY, kernel->gridDimZ,
			    kernel->blockDimX, kernel->blockDimY);
}

static void add_kernel(struct graph *found, CUgraphNode node)
{
	CUDA_KERNEL_NODE_PARAMS_v2 parameters = {0};
	size_t count = found->kernel_count;
	struct graph_kernel *kernels = found->kernels;
	if ((count & (count - 1)) == 0) /* full: room is a power of two */
		kernels = realloc(kernels, (count ? 2 * count : 1) * sizeof *kernels);
	if (!kernels || !kernel_parameters(node, &parameters)) {
		found->untimed = true;
		found->kernels = kernels ? kernels : found->kernels;
		return;
	}
	found->kernels = kernels;
	kernels[found->kernel_count++] = (struct graph_kernel){.node = node, .key = kernel_key(&parameters)};
}

static bool takes_no_time(CUgraphNodeType type)
{
	return type == CU_GRAPH_NODE_TYPE_EMPTY || type == CU_GRAPH_NODE_TYPE_EVENT_RECORD ||
	       type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || type == CU_GRAPH_NODE_TYPE_MEM_FREE;
}

static CUgraphNode *nodes_of(CUgraph graph, size_t *count)
{
	const struct cuda_real *real = cuda_real();
	*count = 0;
	if (real->cuGraphGetNodes(graph, NULL, count) != CUDA_SUCCESS || !*count)
		return NULL;
	CUgraphNode *nodes = malloc(*count * sizeof *nodes);
	if (nodes && real->cuGraphGetNodes(graph, nodes, count) == CUDA_SUCCESS)
		return nodes;
	free(nodes);
	*count = 0;
	return NULL;
}

static void scan_kernels(CUgraph graph, struct graph *found)
{
	size_t count;
	CUgraphNode *nodes = nodes_of(graph, &count);
	for (size_t i = 0; i < count; i++) {
		CUgraphNodeType type;
		CUgraph child;
		if (cuda_real()->cuGraphNodeGetType(nodes[i], &type) != CUDA_SUCCESS)
			found->untimed = true;
		else if (type == CU_GRAPH_NODE_TYPE_KERNEL)
			add_kernel(found, nodes[i]);
		else if (type == CU_GRAPH_NODE_TYPE_GRAPH &&
			 cuda_real()->cuGraphChildGraphNodeGetGraph(nodes[i], &child) == CUDA_SUCCESS)
			scan_kernels(child, found);
		else if (!takes_no_time(type))
			found->untimed = true;
	}
	free(nodes);
}

/* NULL when it cannot be told what it takes: then it must not be launched. */
static struct graph *scan(CUgraph source, unsigned long long flags)
{
	struct graph *found = calloc(1, sizeof *found);
	if (!found)
		return NULL;
	if (!graph_scan_memory(source, found)) {
		free(found);
		return NULL;
	}
	if (found->share_count)
		atomic_fetch_add(&graphs_with_memory, 1);
	found->frees_itself = flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
	scan_kernels(source, found);
	return found;
}

/* With the samples' lock held: 0 when a part of it is not known. */
static int64_t sum_of_kernels(const struct graph *graph)
{
	int64_t sum = 0;
	for (size_t i = 0; i < graph->kernel_count; i++) {
		const struct estimate *row = estimate_peek(graph->kernels[i].key);
		if (!row || !row->ns)
			return 0;
		sum += row->ns;
	}
	return graph->untimed ? 0 : sum;
}

void graph_expect(CUgraphExec exec)
{
	const struct estimate *row = estimate_peek(graph_key(exec));
	const struct graph *graph = row && row->ns ? NULL : graph_of(exec);
	if (!graph)
		return;
	samples_lock();
	int64_t ns = sum_of_kernels(graph);
	if (ns)
		estimate_expect(graph_key(exec), ns);
	samples_unlock();
}

/* --- instantiation */

static CUresult made(CUresult result, CUgraphExec *exec, struct graph *graph)
{
	struct charge charge = {.object = graph};
	if (result == CUDA_SUCCESS) {
		charge.key = (uint64_t)(uintptr_t)*exec;
		if (charges_add(CHARGE_GRAPH, &charge))
			return result;
		cuda_real()->cuGraphExecDestroy(*exec);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	end(graph);
	return result;
}

/* A wrong graph is the driver's to refuse. */
static bool cannot_be(const CUgraphExec *exec, CUgraph graph)
{
	size_t count = 0;
	return !exec || cuda_real()->cuGraphGetNodes(graph, NULL, &count) != CUDA_SUCCESS;
}

CUresult hook_graph_instantiate_v1(CUresult (*real)(CUgraphExec *, CUgraph, CUgraphNode *, char *, size_t),
				   CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *text,
				   size_t text_bytes)
{
	if (cannot_be(exec, graph))
		return real(exec, graph, error_node, text, text_bytes);
	struct graph *found = scan(graph, 0);
	return found ? made(real(exec, graph, error_node, text, text_bytes), exec, found) : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult hook_graph_instantiate(CUresult (*real)(CUgraphExec *, CUgraph, unsigned long long), CUgraphExec *exec,
				CUgraph graph, unsigned long long flags)
{
	if (cannot_be(exec, graph))
		return real(exec, graph, flags);
	struct graph *found = scan(graph, flags);
	return found ? made(real(exec, graph, flags), exec, found) : CUDA_ERROR_OUT_OF_MEMORY;
}

typedef CUresult instantiate_with(CUgraphExec *, CUgraph, CUDA_GRAPH_INSTANTIATE_PARAMS *);

/* It may upload the graph, which takes its memory at once. */
static CUresult instantiate(instantiate_with *real, CUgraphExec *exec, CUgraph graph,
			    CUDA_GRAPH_INSTANTIATE_PARAMS *parameters, bool per_thread)
{
	struct graph_room room;
	if (!parameters || cannot_be(exec, graph))
		return real(exec, graph, parameters);
	struct graph *found = scan(graph, parameters->flags);
	if (!found)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!found->share_count || !(parameters->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD))
		return made(real(exec, graph, parameters), exec, found);
	room.uploads = true;
	if (!graph_room_take(&room, found, parameters->hUploadStream, per_thread)) {
		end(found);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = real(exec, graph, parameters);
	if (!graph_room_settle(&room, result == CUDA_SUCCESS) && result == CUDA_SUCCESS) {
		cuda_real()->cuGraphExecDestroy(*exec);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	return made(result, exec, found);
}

CUresult hook_graph_instantiate_with(instantiate_with *real, CUgraphExec *exec, CUgraph graph,
				     CUDA_GRAPH_INSTANTIATE_PARAMS *parameters)
{
	return instantiate(real, exec, graph, parameters, false);
}

CUresult hook_graph_instantiate_with_ptsz(instantiate_with *real, CUgraphExec *exec, CUgraph graph,
					  CUDA_GRAPH_INSTANTIATE_PARAMS *parameters)
{
	return instantiate(real, exec, graph, parameters, true);
}

/* --- changes: what was measured of it holds no longer */

static void forget_time(CUgraphExec exec)
{
	samples_lock();
	estimate_forget(graph_key(exec));
	samples_unlock();
}

static CUresult changed(CUresult result, CUgraphExec exec)
{
	struct graph *graph = result == CUDA_SUCCESS ? graph_of(exec) : NULL;
	if (graph) {
		graph->untimed = true;
		forget_time(exec);
	}
	return result;
}

/* Memory nodes keep what they are in an update; the driver sees to that. */
CUresult hook_graph_update(CUresult (*real)(CUgraphExec, CUgraph, CUgraphExecUpdateResultInfo *), CUgraphExec exec,
			   CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	return changed(real(exec, graph, info), exec);
}

CUresult hook_graph_update_v1(CUresult (*real)(CUgraphExec, CUgraph, CUgraphNode *, CUgraphExecUpdateResult *),
			      CUgraphExec exec, CUgraph graph, CUgraphNode *error_node, CUgraphExecUpdateResult *update)
{
	return changed(real(exec, graph, error_node, update), exec);
}

static CUresult kernel_changed(CUresult result, CUgraphExec exec, CUgraphNode node, uint64_t key)
{
	struct graph *graph = result == CUDA_SUCCESS ? graph_of(exec) : NULL;
	for (size_t i = 0; graph && i < graph->kernel_count; i++)
		if (graph->kernels[i].node == node)
			graph->kernels[i].key = key;
	if (graph)
		forget_time(exec);
	return result;
}

CUresult hook_graph_set_kernel(CUresult (*real)(CUgraphExec, CUgraphNode, const CUDA_KERNEL_NODE_PARAMS_v2 *),
			       CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	return parameters ? kernel_changed(real(exec, node, parameters), exec, node, kernel_key(parameters))
			  : real(exec, node, parameters);
}

CUresult hook_graph_set_kernel_v1(CUresult (*real)(CUgraphExec, CUgraphNode, const CUDA_KERNEL_NODE_PARAMS_v1 *),
				  CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *parameters)
{
	CUDA_KERNEL_NODE_PARAMS_v2 wide = {0};
	if (!parameters)
		return real(exec, node, parameters);
	memcpy(&wide, parameters, sizeof *parameters);
	return kernel_changed(real(exec, node, parameters), exec, node, kernel_key(&wide));
}

CUresult hook_graph_set_node(CUresult (*real)(CUgraphExec, CUgraphNode, CUgraphNodeParams *), CUgraphExec exec,
			     CUgraphNode node, CUgraphNodeParams *parameters)
{
	if (parameters && parameters->type == CU_GRAPH_NODE_TYPE_KERNEL)
		return kernel_changed(real(exec, node, parameters), exec, node, kernel_key(&parameters->kernel));
	return changed(real(exec, node, parameters), exec);
}

CUresult hook_graph_set_child(CUresult (*real)(CUgraphExec, CUgraphNode, CUgraph), CUgraphExec exec, CUgraphNode node,
			      CUgraph child)
{
	return changed(real(exec, node, child), exec);
}

CUresult hook_graph_set_enabled(CUresult (*real)(CUgraphExec, CUgraphNode, unsigned int), CUgraphExec exec,
				CUgraphNode node, unsigned int enabled)
{
	return changed(real(exec, node, enabled), exec);
}

/* The driver keeps the memory of its launches, so the slice does too, until it is trimmed. */
CUresult hook_graph_exec_destroy(CUresult (*real)(CUgraphExec), CUgraphExec exec)
{
	struct charge charge;
	bool known = charges_take(CHARGE_GRAPH, (uint64_t)(uintptr_t)exec, &charge);
	CUresult result = real(exec);
	if (known && result != CUDA_SUCCESS) {
		charges_add(CHARGE_GRAPH, &charge);
	} else if (known) {
		forget_time(exec);
		end(charge.object);
	}
	return result;
}
