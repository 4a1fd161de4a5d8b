/*
 * Graphs: nodes with their parameters and the edges between them, executable copies of them, and the memory that their
 * allocation nodes take of a card when they are launched.
 */
#ifndef HETERO_SIM_CUDA_GRAPH_H
#define HETERO_SIM_CUDA_GRAPH_H

#include "capture.h"
#include "driver.h"

#define KERNEL_ARGUMENTS 3 /* of a kernel whose time they say */

struct graph_edge {
	CUgraphNode from, to;
	CUgraphEdgeData data;
};

struct CUgraph_st {
	struct object object;
	CUgraphNode *nodes;
	size_t node_count, node_room;
	struct graph_edge *edges;
	size_t edge_count, edge_room;
	CUgraph original;             /* what it is a clone of */
	CUgraphNode owner;            /* the child graph node that it belongs to; NULL for the program's own */
	struct graph_arena *arena;    /* the addresses of its allocation nodes; NULL without any */
	unsigned execs;               /* executable graphs made of it */
};

struct CUgraphNode_st {
	struct object object;
	CUgraph graph;
	CUgraphNode original;         /* in the graph that this one's is a clone of */
	CUgraphNodeParams parameters; /* those of a kernel point to what follows */
	uint64_t duration_ns;
	uint64_t values[KERNEL_ARGUMENTS];
	void *arguments[KERNEL_ARGUMENTS];
	bool disabled;                /* in an executable graph */
	unsigned waiting;             /* for how many others, while an order is sought */
};

struct CUgraphExec_st {
	struct object object;
	CUgraph graph;                /* a clone, its own */
	CUgraph source;               /* NULL once that has been destroyed */
	CUgraphExec next;             /* all of the process */
	unsigned long long flags;
};

/* Makes a node; the parameters of a memory node are completed. */
CUresult graph_add(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, const CUgraphEdgeData *edges,
		   size_t count, CUgraphNodeParams *parameters);
/* The same for parameters that are complete: those of a copied node. NULL without memory. */
CUgraphNode graph_place(CUgraph graph, const CUgraphNodeParams *parameters);
CUresult graph_connect(CUgraph graph, CUgraphNode from, CUgraphNode to, const CUgraphEdgeData *data);
/* Takes parameters of the same type in the place of a node's own. */
CUresult graph_set(CUgraphNode node, const CUgraphNodeParams *parameters);

CUgraph graph_new(void);
CUgraph graph_copy(CUgraph graph);
void graph_end(CUgraph graph);
/* True when it or one of its child graphs has nodes that allocate or free. */
bool graph_has_memory(CUgraph graph);
/* The copies of a graph outlive it. */
void graph_execs_forget(CUgraph source);

/* Addresses for an allocation node, and their return by a free node; what another graph's node made is left alone. */
CUresult arena_take(CUgraph graph, CUdeviceptr *address, uint64_t bytes);
void arena_return(CUgraph graph, CUdeviceptr address);
void arena_end(struct graph_arena *arena);

/*
 * Memory for one launch: CUDA_ERROR_OUT_OF_MEMORY when the card has none, CUDA_ERROR_INVALID_VALUE when what an earlier
 * launch allocated has not been freed. What it took is in use until the work of the ticket has ended that
 * `graph_memory_after` is told.
 */
CUresult graph_memory_before(CUgraphExec exec, CUstream stream);
/* The same for an upload, after which everything is free to be used. */
CUresult graph_memory_upload(CUgraphExec exec, CUstream stream);
void graph_memory_after(CUstream stream, uint64_t ticket);

#endif
