/*
 * The memory of graphs. An allocation node takes nothing until its graph is launched; then the driver takes pieces of
 * 32 MiB of the device for it, keeps them when the graph has ended and is gone, and gives them back when it is asked
 * to. What is charged is what the driver says it has reserved: room for the most that a launch can add is taken
 * before the driver is asked, and afterwards the charge is brought to the driver's figure.
 *
 * A launch uses again what graphs before it in the same stream used, so nothing more is reserved for a graph that is
 * launched there over and over. Of other streams only the driver knows whether they have come to their end.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27), in 40 launches with one to 40 nodes: each node that reaches into a
 * piece which no node before it does adds these, or its own size rounded up to pieces if that is more. The figure
 * costs 11 ns to ask.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "graph.h"
#include "memory.h"

#define PIECE (32ull << 20)

/* --- what a graph needs */

struct allocation {
	uint64_t address, bytes;
	CUdevice device;
	bool outlives;
};

struct allocations {
	struct allocation *list;
	size_t count;
	bool failed;
};

static void add(struct allocations *all, CUgraphNode node)
{
	CUDA_MEM_ALLOC_NODE_PARAMS_v1 parameters = {0};
	struct allocation *list = realloc(all->list, (all->count + 1) * sizeof *list);
	all->list = list ? list : all->list;
	if (!list || cuda_real()->cuGraphMemAllocNodeGetParams(node, &parameters) != CUDA_SUCCESS) {
		all->failed = true;
		return;
	}
	if (parameters.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE || !parameters.bytesize)
		return; /* of the host */
	list[all->count++] = (struct allocation){.address = parameters.dptr, .bytes = parameters.bytesize,
						 .device = parameters.poolProps.location.id, .outlives = true};
}

static void take_back(struct allocations *all, CUgraphNode node)
{
	CUdeviceptr address;
	if (cuda_real()->cuGraphMemFreeNodeGetParams(node, &address) != CUDA_SUCCESS)
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].address == address)
			all->list[i].outlives = false;
}

/* With child graphs, which a parent may have taken over with their memory. */
static void collect(CUgraph graph, struct allocations *all)
{
	const struct cuda_real *real = cuda_real();
	size_t count = 0;
	if (real->cuGraphGetNodes(graph, NULL, &count) != CUDA_SUCCESS || !count)
		return;
	CUgraphNode *nodes = malloc(count * sizeof *nodes);
	all->failed |= !nodes || real->cuGraphGetNodes(graph, nodes, &count) != CUDA_SUCCESS;
	for (size_t i = 0; !all->failed && i < count; i++) {
		CUgraphNodeType type;
		CUgraph child;
		if (real->cuGraphNodeGetType(nodes[i], &type) != CUDA_SUCCESS)
			continue;
		if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC)
			add(all, nodes[i]);
		else if (type == CU_GRAPH_NODE_TYPE_MEM_FREE)
			take_back(all, nodes[i]);
		else if (type == CU_GRAPH_NODE_TYPE_GRAPH &&
			 real->cuGraphChildGraphNodeGetGraph(nodes[i], &child) == CUDA_SUCCESS)
			collect(child, all);
	}
	free(nodes);
}

static bool reaches(const struct allocation *allocation, uint64_t piece)
{
	return allocation->address / PIECE <= piece && piece <= (allocation->address + allocation->bytes - 1) / PIECE;
}

/* Bytes of the pieces that no node before it reaches into. */
static uint64_t fresh(const struct allocations *all, size_t index)
{
	const struct allocation *own = &all->list[index];
	uint64_t pieces = 0, last = (own->address + own->bytes - 1) / PIECE;
	for (uint64_t piece = own->address / PIECE; piece <= last; piece++) {
		bool reached = false;
		for (size_t i = 0; !reached && i < index; i++)
			reached = all->list[i].device == own->device && reaches(&all->list[i], piece);
		pieces += !reached;
	}
	return pieces * PIECE;
}

static uint64_t added(const struct allocations *all, size_t index)
{
	uint64_t mapped = fresh(all, index), whole = (all->list[index].bytes + PIECE - 1) / PIECE * PIECE;
	return !mapped ? 0 : mapped > whole ? mapped : whole;
}

static struct graph_share *share_of(struct graph *found, CUdevice device)
{
	for (unsigned i = 0; i < found->share_count; i++)
		if (found->shares[i].device == device)
			return &found->shares[i];
	if (found->share_count == HETERO_DEVICES)
		return NULL;
	struct graph_share *share = &found->shares[found->share_count++];
	*share = (struct graph_share){.device = device, .position = slice_device(device)};
	return share;
}

bool graph_scan_memory(CUgraph graph, struct graph *found)
{
	struct allocations all = {0};
	if (cuda_real()->cuGraphMemAllocNodeGetParams) /* since CUDA 11.4 */
		collect(graph, &all);
	for (size_t i = 0; !all.failed && i < all.count; i++) {
		struct graph_share *share = share_of(found, all.list[i].device);
		uint64_t bytes = added(&all, i);
		all.failed = !share;
		if (share)
			share->need += bytes;
		if (share && all.list[i].outlives)
			share->outliving += bytes;
	}
	free(all.list);
	return !all.failed;
}

/* --- what is charged, for each device of the slice */

static struct device_memory {
	pthread_mutex_t lock;
	CUdevice device;
	uint64_t charged;  /* what the driver had reserved when it was last asked */
	unsigned launches; /* under way */
	CUstream stream;   /* of the last launch, with the owner of a default one */
	const void *owner;
	uint64_t reusable; /* bytes that a further launch in that stream uses again */
	uint64_t trims;    /* how often the driver gave back what was not in use, and one */
} memory[HETERO_DEVICES] = {[0 ... HETERO_DEVICES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER, .trims = 1}};

void graphs_in_child(void)
{
	memset(memory, 0, sizeof memory);
	for (unsigned i = 0; i < HETERO_DEVICES; i++) {
		pthread_mutex_init(&memory[i].lock, NULL);
		memory[i].trims = 1;
	}
	atomic_store(&graphs_with_memory, 0);
}

/* What the driver has reserved, or UINT64_MAX when it does not say. */
static uint64_t reserved(CUdevice device)
{
	cuuint64_t bytes = 0;
	return cuda_real()->cuDeviceGetGraphMemAttribute(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &bytes) ==
			       CUDA_SUCCESS
		       ? bytes
		       : UINT64_MAX;
}

/* With the lock held and no launch under way. Less than is charged is given back; true when there was some. */
static bool shrink(struct device_memory *held, unsigned position)
{
	uint64_t now = held->charged ? reserved(held->device) : UINT64_MAX;
	if (now >= held->charged)
		return false;
	slice_release(position, held->charged - now);
	held->charged = now;
	held->reusable = held->reusable < now ? held->reusable : now;
	return true;
}

bool graphs_settle(unsigned position)
{
	struct device_memory *held = position < HETERO_DEVICES ? &memory[position] : NULL;
	if (!held || pthread_mutex_trylock(&held->lock) != 0)
		return false; /* whoever holds it settles it */
	bool room = !held->launches && shrink(held, position);
	pthread_mutex_unlock(&held->lock);
	return room;
}

static void forget_reusable(struct device_memory *held)
{
	held->reusable = 0;
	held->trims++;
}

/* --- room for a launch */

/* Whose default stream it is: each context has one, and in the other form each thread. NULL for any other stream. */
static const void *owner_of(CUstream stream, bool per_thread)
{
	static _Thread_local char thread;
	CUcontext context = NULL;
	if (stream == CU_STREAM_PER_THREAD || (!stream && per_thread))
		return &thread;
	if (!stream || stream == CU_STREAM_LEGACY)
		cuda_real()->cuCtxGetCurrent(&context);
	return context;
}

static bool same_stream(const struct device_memory *held, const struct graph_room *room)
{
	return held->stream == room->stream && held->owner == room->owner;
}

/* Bytes that the launch may add to what the driver has reserved. */
static uint64_t growth(struct device_memory *held, const struct graph_room *room, unsigned index)
{
	const struct graph_share *share = &room->graph->shares[index];
	uint64_t reusable = same_stream(held, room) ? held->reusable : 0;
	if (room->graph->frees_itself && room->graph->stream == room->stream && room->graph->owner == room->owner &&
	    room->graph->trims[index] == held->trims)
		reusable += share->outliving;
	return share->need > reusable ? share->need - reusable : 0;
}

/* What graphs that have ended still hold is asked back: the launch will need no more than it then takes again. */
static bool reserve_trimmed(struct device_memory *held, const struct graph_share *share)
{
	cuda_real()->cuDeviceGraphMemTrim(share->device);
	graphs_settle(share->position);
	pthread_mutex_lock(&held->lock);
	forget_reusable(held);
	pthread_mutex_unlock(&held->lock);
	return slice_reserve(share->position, share->need);
}

static bool take(struct graph_room *room, unsigned index)
{
	const struct graph_share *share = &room->graph->shares[index];
	if (share->position >= HETERO_DEVICES)
		return false; /* no part of the slice */
	struct device_memory *held = &memory[share->position];
	pthread_mutex_lock(&held->lock);
	held->device = share->device;
	uint64_t bytes = growth(held, room, index);
	held->launches++; /* from here on nobody else settles */
	pthread_mutex_unlock(&held->lock);
	bool taken = !bytes || room_reserve(share->position, bytes);
	if (!taken) {
		pthread_mutex_lock(&held->lock);
		held->launches--;
		pthread_mutex_unlock(&held->lock);
		taken = reserve_trimmed(held, share);
		bytes = share->need;
		pthread_mutex_lock(&held->lock);
		held->launches += taken;
		pthread_mutex_unlock(&held->lock);
	}
	room->growth[index] = taken ? bytes : 0;
	return taken;
}

static void note_launch(struct device_memory *held, struct graph_room *room, unsigned index)
{
	const struct graph_share *share = &room->graph->shares[index];
	uint64_t before = same_stream(held, room) ? held->reusable : 0;
	uint64_t used = before > share->need ? before : share->need;
	uint64_t lost = room->uploads ? 0 : share->outliving;
	held->stream = room->stream;
	held->owner = room->owner;
	held->reusable = used > lost ? used - lost : 0;
	if (room->uploads)
		return;
	room->graph->trims[index] = held->trims;
	room->graph->stream = room->stream;
	room->graph->owner = room->owner;
}

/* The charge becomes what the driver says. False when that is more than the slice has room for. */
static bool settle(struct device_memory *held, unsigned position)
{
	uint64_t now = reserved(held->device);
	if (now == UINT64_MAX || now == held->charged)
		return true;
	if (now < held->charged)
		slice_release(position, held->charged - now);
	else if (!slice_reserve(position, now - held->charged))
		return false;
	held->charged = now;
	return true;
}

static bool put(struct graph_room *room, unsigned index, bool launched)
{
	const struct graph_share *share = &room->graph->shares[index];
	struct device_memory *held = &memory[share->position];
	pthread_mutex_lock(&held->lock);
	held->charged += room->growth[index];
	if (launched)
		note_launch(held, room, index);
	/* While others are under way, what the driver says may be theirs: the last of them settles for all. */
	bool good = --held->launches || settle(held, share->position);
	pthread_mutex_unlock(&held->lock);
	return good;
}

bool graph_room_take(struct graph_room *room, struct graph *graph, CUstream stream, bool per_thread)
{
	room->graph = graph;
	room->stream = stream;
	room->owner = owner_of(stream, per_thread);
	for (unsigned i = 0; i < graph->share_count; i++)
		if (!take(room, i)) {
			while (i-- > 0)
				put(room, i, false);
			return false;
		}
	return true;
}

static void wait_for(CUstream stream, bool per_thread)
{
	(per_thread ? cuda_real()->cuStreamSynchronize_ptsz : cuda_real()->cuStreamSynchronize)(stream);
}

/* The driver took more than it ever was seen to: once the launch has ended, it is asked back. */
static void give_back(const struct graph_share *share)
{
	struct device_memory *held = &memory[share->position];
	cuda_real()->cuDeviceGraphMemTrim(share->device);
	pthread_mutex_lock(&held->lock);
	forget_reusable(held);
	if (!held->launches)
		settle(held, share->position);
	pthread_mutex_unlock(&held->lock);
}

bool graph_room_settle(struct graph_room *room, bool launched)
{
	bool good = true;
	for (unsigned i = 0; i < room->graph->share_count; i++)
		good &= put(room, i, launched);
	return good;
}

static CUresult with_room(graph_call *call, CUgraphExec exec, CUstream stream, bool per_thread, bool uploads)
{
	struct graph *graph = graph_of(exec);
	struct graph_room room = {.uploads = uploads};
	if (!graph || !graph->share_count || capture_of(stream, per_thread))
		return call(exec, stream); /* in a captured stream the driver says what it may be */
	if (!graph_room_take(&room, graph, stream, per_thread))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = slice_answered(graph->shares[0].position, call(exec, stream));
	if (graph_room_settle(&room, result == CUDA_SUCCESS))
		return result;
	wait_for(stream, per_thread);
	for (unsigned i = 0; i < graph->share_count; i++)
		give_back(&graph->shares[i]);
	return result;
}

CUresult graph_launch(graph_call *call, CUgraphExec exec, CUstream stream, bool per_thread)
{
	return with_room(call, exec, stream, per_thread, false);
}

CUresult graph_upload(graph_call *call, CUgraphExec exec, CUstream stream, bool per_thread)
{
	return with_room(call, exec, stream, per_thread, true);
}

CUresult hook_graph_upload(graph_call *real, CUgraphExec exec, CUstream stream)
{
	return graph_upload(real, exec, stream, false);
}

CUresult hook_graph_upload_ptsz(graph_call *real, CUgraphExec exec, CUstream stream)
{
	return graph_upload(real, exec, stream, true);
}

/* --- what a program does with the memory itself */

CUresult hook_graph_memory_trim(CUresult (*real)(CUdevice), CUdevice device)
{
	unsigned position = slice_device(device);
	CUresult result = real(device);
	if (result != CUDA_SUCCESS || position >= HETERO_DEVICES)
		return result;
	pthread_mutex_lock(&memory[position].lock);
	forget_reusable(&memory[position]);
	if (!memory[position].launches)
		shrink(&memory[position], position);
	pthread_mutex_unlock(&memory[position].lock);
	return result;
}

CUresult hook_graph_memory_set(CUresult (*real)(CUdevice, CUgraphMem_attribute, void *), CUdevice device,
			       CUgraphMem_attribute attribute, void *value)
{
	CUresult result = real(device, attribute, value);
	unsigned position = result == CUDA_SUCCESS ? slice_device(device) : HETERO_DEVICES;
	graphs_settle(position);
	return result;
}
