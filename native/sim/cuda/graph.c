/*
 * Graphs as a program builds, copies and asks about them. Handles keep their place when they end, so that a stale one
 * is told from a live one, as with all objects.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

CUgraph graph_new(void)
{
	driver_lock();
	CUgraph graph = object_new(GRAPH, sizeof *graph);
	driver_unlock();
	return graph;
}

static void end_node(CUgraphNode node)
{
	if (node->parameters.type == CU_GRAPH_NODE_TYPE_GRAPH)
		graph_end(node->parameters.child.graph);
	driver_lock();
	object_end(node);
	driver_unlock();
}

void graph_end(CUgraph graph)
{
	graph_execs_forget(graph);
	for (size_t i = 0; i < graph->node_count; i++)
		end_node(graph->nodes[i]);
	free(graph->nodes);
	free(graph->edges);
	arena_end(graph->arena);
	driver_lock();
	object_end(graph);
	driver_unlock();
}

bool graph_has_memory(CUgraph graph)
{
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC ||
		    parameters->type == CU_GRAPH_NODE_TYPE_MEM_FREE ||
		    (parameters->type == CU_GRAPH_NODE_TYPE_GRAPH && graph_has_memory(parameters->child.graph)))
			return true;
	}
	return false;
}

static CUgraphNode copied(const struct CUgraph_st *copy, CUgraphNode original)
{
	for (size_t i = 0; i < copy->node_count; i++)
		if (copy->nodes[i]->original == original)
			return copy->nodes[i];
	return NULL;
}

CUgraph graph_copy(CUgraph graph)
{
	CUgraph copy = graph_new();
	if (!copy)
		return NULL;
	copy->original = graph;
	for (size_t i = 0; i < graph->node_count; i++) {
		CUgraphNodeParams parameters = graph->nodes[i]->parameters;
		if (parameters.type == CU_GRAPH_NODE_TYPE_GRAPH)
			parameters.child.ownership = 0;
		CUgraphNode node = graph_place(copy, &parameters);
		if (!node) {
			graph_end(copy);
			return NULL;
		}
		node->original = graph->nodes[i];
	}
	for (size_t i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];
		graph_connect(copy, copied(copy, edge->from), copied(copy, edge->to), &edge->data);
	}
	return copy;
}

SIM_EXPORT CUresult cuGraphCreate(CUgraph *out, unsigned int flags)
{
	NEED_INIT();
	if (!out || flags)
		return CUDA_ERROR_INVALID_VALUE;
	CUgraph graph = graph_new();
	if (graph)
		*out = graph;
	return graph ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
	NEED_INIT();
	if (!object_is(graph, GRAPH) || graph->owner)
		return CUDA_ERROR_INVALID_VALUE;
	graph_end(graph);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphClone(CUgraph *out, CUgraph original)
{
	NEED_INIT();
	if (!out || !object_is(original, GRAPH))
		return CUDA_ERROR_INVALID_VALUE;
	if (graph_has_memory(original))
		return CUDA_ERROR_NOT_SUPPORTED;
	CUgraph clone = graph_copy(original);
	if (clone)
		*out = clone;
	return clone ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuGraphNodeFindInClone(CUgraphNode *out, CUgraphNode original, CUgraph clone)
{
	NEED_INIT();
	if (!out || !object_is(original, GRAPH_NODE) || !object_is(clone, GRAPH))
		return CUDA_ERROR_INVALID_VALUE;
	CUgraphNode found = copied(clone, original);
	if (found)
		*out = found;
	return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* A list as the driver gives one: without a place for it only its length; shorter than the place, the rest is empty. */
struct listing {
	CUgraphNode *place;
	size_t room, count;
};

static void list(struct listing *listing, CUgraphNode node)
{
	if (listing->count < listing->room)
		listing->place[listing->count] = node;
	listing->count++;
}

static void end_listing(const struct listing *listing, size_t *count)
{
	for (size_t i = listing->count; i < listing->room; i++)
		listing->place[i] = NULL;
	*count = listing->room && listing->room < listing->count ? listing->room : listing->count;
}

static bool is_root(const struct CUgraph_st *graph, CUgraphNode node)
{
	for (size_t i = 0; i < graph->edge_count; i++)
		if (graph->edges[i].to == node)
			return false;
	return true;
}

static CUresult get_nodes(CUgraph graph, CUgraphNode *nodes, size_t *count, bool roots_only)
{
	NEED_INIT();
	if (!count || !object_is(graph, GRAPH))
		return CUDA_ERROR_INVALID_VALUE;
	struct listing listing = {.place = nodes, .room = nodes ? *count : 0};
	for (size_t i = 0; i < graph->node_count; i++)
		if (!roots_only || is_root(graph, graph->nodes[i]))
			list(&listing, graph->nodes[i]);
	end_listing(&listing, count);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	return get_nodes(graph, nodes, count, false);
}

SIM_EXPORT CUresult cuGraphGetRootNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	return get_nodes(graph, nodes, count, true);
}

SIM_EXPORT CUresult cuGraphGetEdges_v2(CUgraph graph, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData *edges,
				       size_t *count)
{
	NEED_INIT();
	if (!count || !object_is(graph, GRAPH) || !from != !to)
		return CUDA_ERROR_INVALID_VALUE;
	struct listing starts = {.place = from, .room = from ? *count : 0};
	struct listing ends = {.place = to, .room = to ? *count : 0};
	for (size_t i = 0; i < graph->edge_count; i++) {
		if (edges && i < ends.room)
			edges[i] = graph->edges[i].data;
		list(&starts, graph->edges[i].from);
		list(&ends, graph->edges[i].to);
	}
	end_listing(&starts, count);
	end_listing(&ends, count);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count)
{
	return cuGraphGetEdges_v2(graph, from, to, NULL, count);
}

static CUresult neighbours(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *data, size_t *count, bool before)
{
	NEED_INIT();
	if (!count || !object_is(node, GRAPH_NODE))
		return CUDA_ERROR_INVALID_VALUE;
	struct listing listing = {.place = nodes, .room = nodes ? *count : 0};
	for (size_t i = 0; i < node->graph->edge_count; i++) {
		const struct graph_edge *edge = &node->graph->edges[i];
		if ((before ? edge->to : edge->from) != node)
			continue;
		if (data && listing.count < listing.room)
			data[listing.count] = edge->data;
		list(&listing, before ? edge->from : edge->to);
	}
	end_listing(&listing, count);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *edges,
						  size_t *count)
{
	return neighbours(node, nodes, edges, count, true);
}

SIM_EXPORT CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
	return neighbours(node, nodes, NULL, count, true);
}

SIM_EXPORT CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *edges,
						    size_t *count)
{
	return neighbours(node, nodes, edges, count, false);
}

SIM_EXPORT CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
	return neighbours(node, nodes, NULL, count, false);
}

CUresult graph_connect(CUgraph graph, CUgraphNode from, CUgraphNode to, const CUgraphEdgeData *data)
{
	if (!object_is(from, GRAPH_NODE) || !object_is(to, GRAPH_NODE) || from->graph != graph || to->graph != graph ||
	    from == to)
		return CUDA_ERROR_INVALID_VALUE;
	if (graph->edge_count == graph->edge_room) {
		size_t room = graph->edge_room ? graph->edge_room * 2 : 16;
		struct graph_edge *edges = realloc(graph->edges, room * sizeof *edges);
		if (!edges)
			return CUDA_ERROR_OUT_OF_MEMORY;
		graph->edges = edges;
		graph->edge_room = room;
	}
	struct graph_edge *edge = &graph->edges[graph->edge_count++];
	*edge = (struct graph_edge){.from = from, .to = to};
	if (data)
		edge->data = *data;
	return CUDA_SUCCESS;
}

static void disconnect(CUgraph graph, CUgraphNode from, CUgraphNode to)
{
	size_t kept = 0;
	for (size_t i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];
		if ((from && edge->from != from) || (to && edge->to != to))
			graph->edges[kept++] = *edge;
	}
	graph->edge_count = kept;
}

SIM_EXPORT CUresult cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
					      const CUgraphEdgeData *edges, size_t count)
{
	NEED_INIT();
	CUresult result = object_is(graph, GRAPH) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; result == CUDA_SUCCESS && i < count; i++)
		result = graph_connect(graph, from[i], to[i], edges ? &edges[i] : NULL);
	return result;
}

SIM_EXPORT CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count)
{
	return cuGraphAddDependencies_v2(graph, from, to, NULL, count);
}

SIM_EXPORT CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
					      size_t count)
{
	NEED_INIT();
	if (!object_is(graph, GRAPH))
		return CUDA_ERROR_INVALID_VALUE;
	if (graph_has_memory(graph))
		return CUDA_ERROR_NOT_SUPPORTED;
	for (size_t i = 0; i < count; i++)
		disconnect(graph, from[i], to[i]);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
						 const CUgraphEdgeData *edges, size_t count)
{
	(void)edges;
	return cuGraphRemoveDependencies(graph, from, to, count);
}

SIM_EXPORT CUresult cuGraphDestroyNode(CUgraphNode node)
{
	NEED_INIT();
	if (!object_is(node, GRAPH_NODE))
		return CUDA_ERROR_INVALID_VALUE;
	CUgraph graph = node->graph;
	if (graph_has_memory(graph))
		return CUDA_ERROR_NOT_SUPPORTED;
	disconnect(graph, node, NULL);
	disconnect(graph, NULL, node);
	size_t kept = 0;
	for (size_t i = 0; i < graph->node_count; i++)
		if (graph->nodes[i] != node)
			graph->nodes[kept++] = graph->nodes[i];
	graph->node_count = kept;
	end_node(node);
	return CUDA_SUCCESS;
}
