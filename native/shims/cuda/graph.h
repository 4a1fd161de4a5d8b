/*
 * What is known of the executable graphs of this process (graph.c): the kernels in them, and the memory that a launch
 * takes of a device (graph_memory.c).
 */
#ifndef HETERO_SHIM_GRAPH_H
#define HETERO_SHIM_GRAPH_H

#include <stdatomic.h>

#include "estimate.h"
#include "shim.h"

struct graph_kernel {
	CUgraphNode node;   /* in the graph that the executable one was made of */
	uint64_t key;       /* of the estimates: function and geometry */
};

/* Memory that a launch needs of one device. */
struct graph_share {
	CUdevice device;
	unsigned position;  /* in the slice */
	uint64_t need;      /* bytes at most */
	uint64_t outliving; /* of these, what stays in use after the launch until the program frees it */
};

struct graph {
	struct graph_kernel *kernels;
	size_t kernel_count;
	bool untimed;       /* something other than these kernels may take its time */
	struct graph_share shares[HETERO_DEVICES];
	unsigned share_count;
	bool frees_itself;  /* a launch frees first what the one before it left allocated */
	CUstream stream;    /* where it was launched last, with the owner of a default stream */
	const void *owner;
	uint64_t trims[HETERO_DEVICES]; /* of each share's device, when that was; 0 before */
};

/* Executable graphs that take memory when they are launched. */
extern _Atomic unsigned graphs_with_memory;

/* The kind of an executable graph among the estimates. It is forgotten when the graph is changed or destroyed. */
static inline uint64_t graph_key(CUgraphExec exec)
{
	return estimate_key((uint64_t)(uintptr_t)exec, 0, 0, 0, 0, 0);
}

/* What is known of it; NULL when it was made by a call that is not seen. It lives until the graph is destroyed. */
struct graph *graph_of(CUgraphExec exec);

/*
 * Before a graph has been measured it is charged what its kernels are known to take, one after the other; nothing
 * where a part of it is not known.
 */
void graph_expect(CUgraphExec exec);

/* What a launch of this graph takes of each device; false when it cannot be told, for want of memory here. */
bool graph_scan_memory(CUgraph graph, struct graph *found);

/*
 * A launch or an upload, and room in the slice for what it takes of the device: CUDA_ERROR_OUT_OF_MEMORY without.
 * `call` is the one that makes it.
 */
typedef CUresult graph_call(CUgraphExec exec, CUstream stream);

CUresult graph_launch(graph_call *call, CUgraphExec exec, CUstream stream, bool per_thread);
CUresult graph_upload(graph_call *call, CUgraphExec exec, CUstream stream, bool per_thread);

/* Room for an upload that an instantiation makes; `settle` says what became of it. */
struct graph_room {
	struct graph *graph;
	CUstream stream;
	const void *owner;  /* of a default stream: a context or a thread */
	bool uploads;       /* nothing stays in use after it */
	uint64_t growth[HETERO_DEVICES]; /* reserved, one for each share */
};

bool graph_room_take(struct graph_room *room, struct graph *graph, CUstream stream, bool per_thread);
/*
 * False when the device gave more than was reserved and the slice has no room for that: it was given back as far as
 * possible.
 */
bool graph_room_settle(struct graph_room *room, bool launched);

#endif
