/*
 * The nodes of graphs: what each type needs, and its parameters. A kernel's time is that of its arguments when they
 * were given; copies and fills take none, as outside a graph.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

/* A kernel's arguments are copied, for the program's own may be gone when the graph is launched. */
static void keep_arguments(CUgraphNode node)
{
	CUDA_KERNEL_NODE_PARAMS_v2 *kernel = &node->parameters.kernel;
	unsigned count = kernel_argument_count(kernel->func);
	for (unsigned i = 0; kernel->kernelParams && i < count; i++) {
		memmove(&node->values[i], kernel->kernelParams[i], sizeof node->values[i]);
		node->arguments[i] = &node->values[i];
	}
	kernel->kernelParams = kernel->kernelParams && count ? node->arguments : NULL;
	kernel->extra = NULL;
}

static bool take_in(CUgraphNode node, const CUgraphNodeParams *parameters)
{
	node->parameters = *parameters;
	if (parameters->type == CU_GRAPH_NODE_TYPE_KERNEL) {
		kernel_duration(&parameters->kernel, &node->duration_ns);
		keep_arguments(node);
	}
	if (parameters->type != CU_GRAPH_NODE_TYPE_GRAPH)
		return true;
	CUgraph child = parameters->child.ownership ? parameters->child.graph : graph_copy(parameters->child.graph);
	node->parameters.child.graph = child;
	if (child)
		child->owner = node;
	return child;
}

static bool make_room(CUgraph graph)
{
	if (graph->node_count < graph->node_room)
		return true;
	size_t room = graph->node_room ? graph->node_room * 2 : 16;
	CUgraphNode *nodes = realloc(graph->nodes, room * sizeof *nodes);
	if (!nodes)
		return false;
	graph->nodes = nodes;
	graph->node_room = room;
	return true;
}

CUgraphNode graph_place(CUgraph graph, const CUgraphNodeParams *parameters)
{
	if (!make_room(graph))
		return NULL;
	driver_lock();
	CUgraphNode node = object_new(GRAPH_NODE, sizeof *node);
	driver_unlock();
	if (!node)
		return NULL;
	node->graph = graph;
	if (!take_in(node, parameters)) {
		driver_lock();
		object_end(node);
		driver_unlock();
		return NULL;
	}
	graph->nodes[graph->node_count++] = node;
	return node;
}

static CUresult complete_allocation(CUgraph graph, CUDA_MEM_ALLOC_NODE_PARAMS_v1 *alloc)
{
	if (!alloc->bytesize || alloc->poolProps.allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
	    alloc->poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
	    !device_exists(alloc->poolProps.location.id))
		return CUDA_ERROR_INVALID_VALUE;
	return arena_take(graph, &alloc->dptr, alloc->bytesize);
}

/* A child graph is copied, and memory nodes are not; the newest drivers can move such a graph instead. */
static CUresult check_child(CUgraph graph, CUgraph child, int ownership)
{
	if (!object_is(child, GRAPH) || child == graph || (ownership && child->owner))
		return CUDA_ERROR_INVALID_VALUE;
	return !ownership && graph_has_memory(child) ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

static CUresult check(CUgraph graph, CUgraphNodeParams *parameters)
{
	uint64_t ns;
	switch (parameters->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_duration(&parameters->kernel, &ns);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
	case CU_GRAPH_NODE_TYPE_MEMSET:
	case CU_GRAPH_NODE_TYPE_EMPTY:
		return CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_HOST:
		return parameters->host.fn ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		return check_child(graph, parameters->child.graph, parameters->child.ownership);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return object_is(parameters->event, EVENT) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return complete_allocation(graph, &parameters->alloc);
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return parameters->free ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

CUresult graph_add(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, const CUgraphEdgeData *edges,
		   size_t count, CUgraphNodeParams *parameters)
{
	NEED_INIT();
	if (!out || !object_is(graph, GRAPH) || (count && !dependencies))
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count; i++)
		if (!object_is(dependencies[i], GRAPH_NODE) || dependencies[i]->graph != graph)
			return CUDA_ERROR_INVALID_VALUE;
	CUresult result = check(graph, parameters);
	if (result != CUDA_SUCCESS)
		return result;
	CUgraphNode node = graph_place(graph, parameters);
	if (!node)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < count; i++)
		graph_connect(graph, dependencies[i], node, edges ? &edges[i] : NULL);
	if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_FREE)
		arena_return(graph, parameters->free);
	if (parameters->type == CU_GRAPH_NODE_TYPE_GRAPH)
		parameters->child.graph = node->parameters.child.graph;
	*out = node;
	return CUDA_SUCCESS;
}

CUresult graph_set(CUgraphNode node, const CUgraphNodeParams *parameters)
{
	CUgraphNodeParams taken = *parameters;
	if (!object_is(node, GRAPH_NODE) || node->parameters.type != parameters->type)
		return CUDA_ERROR_INVALID_VALUE;
	if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || parameters->type == CU_GRAPH_NODE_TYPE_MEM_FREE)
		return CUDA_ERROR_NOT_SUPPORTED;
	CUresult result = check(node->graph, &taken);
	if (result != CUDA_SUCCESS)
		return result;
	CUgraph child = taken.type == CU_GRAPH_NODE_TYPE_GRAPH ? node->parameters.child.graph : NULL;
	if (!take_in(node, &taken))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (child)
		graph_end(child);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphAddNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				      const CUgraphEdgeData *edges, size_t count, CUgraphNodeParams *parameters)
{
	return parameters ? graph_add(node, graph, dependencies, edges, count, parameters) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuGraphAddNode_v3(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				      const CUgraphEdgeData *edges, size_t count, CUgraphNodeParams *parameters)
{
	return cuGraphAddNode_v2(node, graph, dependencies, edges, count, parameters);
}

SIM_EXPORT CUresult cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t count,
				   CUgraphNodeParams *parameters)
{
	return cuGraphAddNode_v2(node, graph, dependencies, NULL, count, parameters);
}

static CUresult add(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t count,
		    CUgraphNodeParams parameters)
{
	return graph_add(node, graph, dependencies, NULL, count, &parameters);
}

SIM_EXPORT CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					    size_t count, const CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_KERNEL, .kernel = *parameters});
}

/* The parameters of before CUDA 12 are the first of those since. */
static CUDA_KERNEL_NODE_PARAMS_v2 widened(const CUDA_KERNEL_NODE_PARAMS_v1 *narrow)
{
	CUDA_KERNEL_NODE_PARAMS_v2 wide = {0};
	memcpy(&wide, narrow, sizeof *narrow);
	return wide;
}

SIM_EXPORT CUresult cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					 size_t count, const CUDA_KERNEL_NODE_PARAMS_v1 *parameters)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	CUDA_KERNEL_NODE_PARAMS_v2 wide = widened(parameters);
	return cuGraphAddKernelNode_v2(node, graph, dependencies, count, &wide);
}

SIM_EXPORT CUresult cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					 size_t count, const CUDA_MEMCPY3D *parameters, CUcontext context)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_MEMCPY,
				       .memcpy = {.copyCtx = context, .copyParams = *parameters}});
}

SIM_EXPORT CUresult cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					 size_t count, const CUDA_MEMSET_NODE_PARAMS_v1 *parameters, CUcontext context)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_MEMSET, .memset = {*parameters, context}});
}

SIM_EXPORT CUresult cuGraphAddHostNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t count,
				       const CUDA_HOST_NODE_PARAMS_v1 *parameters)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_HOST, .host = *parameters});
}

SIM_EXPORT CUresult cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					     size_t count, CUgraph child)
{
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_GRAPH, .child = {.graph = child}});
}

SIM_EXPORT CUresult cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t count)
{
	return add(node, graph, dependencies, count, (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_EMPTY});
}

SIM_EXPORT CUresult cuGraphAddEventRecordNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					      size_t count, CUevent event)
{
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .event = event});
}

SIM_EXPORT CUresult cuGraphAddEventWaitNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					    size_t count, CUevent event)
{
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .event = event});
}

SIM_EXPORT CUresult cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					   size_t count, CUDA_MEM_ALLOC_NODE_PARAMS_v1 *parameters)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	CUgraphNodeParams general = {.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC, .alloc = *parameters};
	CUresult result = graph_add(node, graph, dependencies, NULL, count, &general);
	if (result == CUDA_SUCCESS)
		parameters->dptr = general.alloc.dptr;
	return result;
}

SIM_EXPORT CUresult cuGraphAddMemFreeNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
					  size_t count, CUdeviceptr pointer)
{
	return add(node, graph, dependencies, count,
		   (CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_MEM_FREE, .free = pointer});
}

SIM_EXPORT CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
	NEED_INIT();
	if (!type || !object_is(node, GRAPH_NODE))
		return CUDA_ERROR_INVALID_VALUE;
	*type = node->parameters.type;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphNodeGetContainingGraph(CUgraphNode node, CUgraph *graph)
{
	NEED_INIT();
	if (!graph || !object_is(node, GRAPH_NODE))
		return CUDA_ERROR_INVALID_VALUE;
	*graph = node->graph;
	return CUDA_SUCCESS;
}

/* Copies the part of a node's parameters that a call for its type asks for. */
static CUresult get(CUgraphNode node, CUgraphNodeType type, void *out, size_t place, size_t size)
{
	NEED_INIT();
	if (!out || !object_is(node, GRAPH_NODE) || node->parameters.type != type)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(out, (const char *)node + place, size);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphNodeGetParams(CUgraphNode node, CUgraphNodeParams *parameters)
{
	NEED_INIT();
	if (!parameters || !object_is(node, GRAPH_NODE))
		return CUDA_ERROR_INVALID_VALUE;
	*parameters = node->parameters;
	return CUDA_SUCCESS;
}

#define GETTER(symbol, TYPE, kind, member)                                                                   \
	SIM_EXPORT CUresult symbol(CUgraphNode node, kind *out)                                              \
	{                                                                                                    \
		return get(node, CU_GRAPH_NODE_TYPE_##TYPE, out,                                             \
			   offsetof(struct CUgraphNode_st, parameters.member), sizeof *out);                 \
	}

GETTER(cuGraphKernelNodeGetParams, KERNEL, CUDA_KERNEL_NODE_PARAMS_v1, kernel)
GETTER(cuGraphKernelNodeGetParams_v2, KERNEL, CUDA_KERNEL_NODE_PARAMS_v2, kernel)
GETTER(cuGraphMemcpyNodeGetParams, MEMCPY, CUDA_MEMCPY3D, memcpy.copyParams)
GETTER(cuGraphMemsetNodeGetParams, MEMSET, CUDA_MEMSET_NODE_PARAMS_v1, memset)
GETTER(cuGraphHostNodeGetParams, HOST, CUDA_HOST_NODE_PARAMS_v1, host)
GETTER(cuGraphChildGraphNodeGetGraph, GRAPH, CUgraph, child.graph)
GETTER(cuGraphEventRecordNodeGetEvent, EVENT_RECORD, CUevent, event)
GETTER(cuGraphEventWaitNodeGetEvent, WAIT_EVENT, CUevent, event)
GETTER(cuGraphMemAllocNodeGetParams, MEM_ALLOC, CUDA_MEM_ALLOC_NODE_PARAMS_v1, alloc)
GETTER(cuGraphMemFreeNodeGetParams, MEM_FREE, CUdeviceptr, free)

SIM_EXPORT CUresult cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams *parameters)
{
	NEED_INIT();
	return parameters ? graph_set(node, parameters) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuGraphNodeSetParams_v2(CUgraphNode node, CUgraphNodeParams *parameters)
{
	return cuGraphNodeSetParams(node, parameters);
}

SIM_EXPORT CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	NEED_INIT();
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	return graph_set(node, &(CUgraphNodeParams){.type = CU_GRAPH_NODE_TYPE_KERNEL, .kernel = *parameters});
}

SIM_EXPORT CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *parameters)
{
	if (!parameters)
		return CUDA_ERROR_INVALID_VALUE;
	CUDA_KERNEL_NODE_PARAMS_v2 wide = widened(parameters);
	return cuGraphKernelNodeSetParams_v2(node, &wide);
}
