/*
 * The memory of graphs. Their allocation nodes have addresses from the start, memory only from a launch on: the card
 * gives it in pieces of 32 MiB to all graphs of the process, and gets it back when it is trimmed, not when a context
 * ends. A launch takes over what graphs before it in its stream, or graphs that have ended, used; what an allocation
 * that outlives its graph lies in is taken over by nobody.
 *
 * Source: what an H100 (driver 580.159.04) said of reserved memory, 2026-11-27, in 40 steps with one to 40 nodes. Not
 * the same: a card counts as used only what is mapped, here all that is reserved; a card that has no room for a
 * launch keeps what it had taken of it until then, here nothing.
 */
#include "graph.h"

#include <stdlib.h>

#include "memory.h"

#define PIECE (32ull << 20)
#define UNIT 512ull
#define ARENA_BYTES (64ull << 30)

static uint64_t up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* --- addresses: the first gap that is wide enough, else behind all others */

struct range {
	CUdeviceptr address;
	uint64_t bytes;
	bool taken;
};

struct graph_arena {
	CUdeviceptr begin, end;
	struct range *blocks;
	size_t count;
};

static struct graph_arena *arena_of(CUgraph graph)
{
	if (graph->arena)
		return graph->arena;
	struct graph_arena *arena = calloc(1, sizeof *arena);
	if (!arena)
		return NULL;
	driver_lock();
	arena->begin = arena->end = memory_reserve_addresses(ARENA_BYTES, PIECE);
	driver_unlock();
	return graph->arena = arena;
}

static struct range *append(struct graph_arena *arena, CUdeviceptr address, uint64_t bytes)
{
	struct range *blocks = realloc(arena->blocks, (arena->count + 1) * sizeof *blocks);
	if (!blocks)
		return NULL;
	arena->blocks = blocks;
	blocks[arena->count] = (struct range){.address = address, .bytes = bytes};
	return &blocks[arena->count++];
}

static CUdeviceptr take_gap(struct graph_arena *arena, uint64_t bytes)
{
	for (size_t i = 0; i < arena->count; i++) {
		struct range gap = arena->blocks[i];
		if (gap.taken || gap.bytes < bytes)
			continue;
		if (gap.bytes > bytes && !append(arena, gap.address + bytes, gap.bytes - bytes))
			return 0;
		arena->blocks[i] = (struct range){.address = gap.address, .bytes = bytes, .taken = true};
		return gap.address;
	}
	return 0;
}

CUresult arena_take(CUgraph graph, CUdeviceptr *address, uint64_t bytes)
{
	struct graph_arena *arena = bytes > ARENA_BYTES / 2 ? NULL : arena_of(graph);
	bytes = up(bytes, UNIT);
	if (!arena)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*address = take_gap(arena, bytes);
	if (*address)
		return CUDA_SUCCESS;
	if (arena->end + bytes > arena->begin + ARENA_BYTES)
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct range *range = append(arena, arena->end, bytes);
	if (!range)
		return CUDA_ERROR_OUT_OF_MEMORY;
	range->taken = true;
	*address = range->address;
	arena->end += bytes;
	return CUDA_SUCCESS;
}

void arena_return(CUgraph graph, CUdeviceptr address)
{
	for (size_t i = 0; graph->arena && i < graph->arena->count; i++)
		if (graph->arena->blocks[i].address == address)
			graph->arena->blocks[i].taken = false;
}

void arena_end(struct graph_arena *arena)
{
	if (arena)
		free(arena->blocks);
	free(arena);
}

/* --- memory: all of it with the driver's lock held */

struct segment {
	struct segment *next;
	uint64_t bytes;
	CUdevice device;
	CUstream stream;  /* whose last graph used it, up to this ticket; ~0 while that is being queued */
	uint64_t ticket;
	unsigned live;    /* allocations in it that outlive their graph */
};

struct survivor {
	struct survivor *next;
	CUdeviceptr address;
	uint64_t bytes;
	struct segment *segment;
};

static struct segment *segments;
static struct survivor *survivors;
static uint64_t high[SIM_CARDS][2]; /* most that was used, and reserved */

static bool idle(const struct segment *segment, CUdevice device, CUstream stream)
{
	return segment->device == device && !segment->live && segment->ticket != UINT64_MAX &&
	       (segment->stream == stream || timeline_ended(segment->ticket));
}

static uint64_t reserved(CUdevice device)
{
	uint64_t bytes = 0;
	for (const struct segment *segment = segments; segment; segment = segment->next)
		bytes += segment->device == device ? segment->bytes : 0;
	return bytes;
}

/* Takes up to so many bytes out of idle segments; returns how many. */
static uint64_t take_idle(CUdevice device, CUstream stream, uint64_t wanted)
{
	uint64_t taken = 0;
	for (struct segment **link = &segments; *link;) {
		struct segment *segment = *link;
		uint64_t part = idle(segment, device, stream) ? wanted - taken : 0;
		part = part < segment->bytes ? part : segment->bytes;
		segment->bytes -= part;
		taken += part;
		if (segment->bytes) {
			link = &segment->next;
			continue;
		}
		*link = segment->next;
		free(segment);
	}
	return taken;
}

static struct segment *put(CUdevice device, CUstream stream, uint64_t bytes)
{
	struct segment *segment = calloc(1, sizeof *segment);
	if (!segment)
		return NULL;
	*segment = (struct segment){.next = segments, .bytes = bytes, .device = device, .stream = stream,
				    .ticket = UINT64_MAX};
	segments = segment;
	return segment;
}

static struct survivor **find(CUdeviceptr address)
{
	struct survivor **link = &survivors;
	while (*link && !(address >= (*link)->address && address - (*link)->address < (*link)->bytes))
		link = &(*link)->next;
	return link;
}

static bool end_survivor(CUdeviceptr address)
{
	struct survivor **link = find(address), *survivor = *link;
	if (!survivor || survivor->address != address)
		return false;
	*link = survivor->next;
	survivor->segment->live--;
	free(survivor);
	return true;
}

bool graph_memory_free(CUdeviceptr address)
{
	driver_lock();
	bool freed = end_survivor(address);
	driver_unlock();
	return freed;
}

bool graph_memory_covers(CUdeviceptr address, size_t bytes)
{
	const struct survivor *survivor = *find(address);
	return survivor && bytes <= survivor->bytes - (address - survivor->address);
}

/* --- a launch */

static bool freed_within(CUgraph graph, CUdeviceptr address, size_t from)
{
	for (size_t i = from; i < graph->node_count; i++)
		if (graph->nodes[i]->parameters.type == CU_GRAPH_NODE_TYPE_MEM_FREE &&
		    graph->nodes[i]->parameters.free == address)
			return true;
	return false;
}

static bool outlives(CUgraph graph, size_t index)
{
	const CUgraphNodeParams *parameters = &graph->nodes[index]->parameters;
	return parameters->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && !freed_within(graph, parameters->alloc.dptr, index);
}

/* Pieces of the addresses that are mapped already: a bit each. */
struct pieces {
	CUdeviceptr begin;
	unsigned char mapped[ARENA_BYTES / PIECE];
};

static uint64_t map(struct pieces *pieces, const CUDA_MEM_ALLOC_NODE_PARAMS_v1 *alloc)
{
	uint64_t first = (alloc->dptr - pieces->begin) / PIECE, fresh = 0;
	uint64_t last = (alloc->dptr + alloc->bytesize - 1 - pieces->begin) / PIECE;
	for (uint64_t i = first; i <= last; i++) {
		fresh += !pieces->mapped[i] ? PIECE : 0;
		pieces->mapped[i] = 1;
	}
	return fresh;
}

static CUdeviceptr first_address(CUgraph graph)
{
	CUdeviceptr first = UINT64_MAX;
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && parameters->alloc.dptr < first)
			first = parameters->alloc.dptr;
	}
	return first;
}

/* What the nodes of one graph need, child graphs aside; those that outlive it alone, or all. */
static uint64_t need_of(CUgraph graph, CUdevice device, bool surviving)
{
	uint64_t need = 0;
	struct pieces pieces = {.begin = first_address(graph) / PIECE * PIECE};
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		const CUDA_MEM_ALLOC_NODE_PARAMS_v1 *alloc = &parameters->alloc;
		if (parameters->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC || alloc->poolProps.location.id != device ||
		    (surviving && !outlives(graph, i)))
			continue;
		uint64_t fresh = map(&pieces, alloc);
		uint64_t whole = up(alloc->bytesize, PIECE);
		need += fresh ? (fresh > whole ? fresh : whole) : 0;
	}
	return need;
}

/* Something for each graph of an executable one, its child graphs first; ends at the first that fails. */
typedef CUresult visit(CUgraph graph, CUdevice device, CUstream stream);

static CUresult each_graph(CUgraph graph, visit *visit, CUdevice device, CUstream stream)
{
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		CUresult result = parameters->type == CU_GRAPH_NODE_TYPE_GRAPH
					  ? each_graph(parameters->child.graph, visit, device, stream)
					  : CUDA_SUCCESS;
		if (result != CUDA_SUCCESS)
			return result;
	}
	return visit(graph, device, stream);
}

static CUresult take_free_nodes(CUgraph graph, CUdevice device, CUstream stream)
{
	(void)device;
	(void)stream;
	for (size_t i = 0; i < graph->node_count; i++)
		if (graph->nodes[i]->parameters.type == CU_GRAPH_NODE_TYPE_MEM_FREE)
			end_survivor(graph->nodes[i]->parameters.free);
	return CUDA_SUCCESS;
}

static CUresult free_own(CUgraph graph, CUdevice device, CUstream stream)
{
	(void)device;
	(void)stream;
	for (size_t i = 0; i < graph->node_count; i++)
		if (outlives(graph, i))
			end_survivor(graph->nodes[i]->parameters.alloc.dptr);
	return CUDA_SUCCESS;
}

static CUresult refuse_survivors(CUgraph graph, CUdevice device, CUstream stream)
{
	(void)device;
	(void)stream;
	for (size_t i = 0; i < graph->node_count; i++)
		if (outlives(graph, i) && *find(graph->nodes[i]->parameters.alloc.dptr))
			return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

static void add_survivors(CUgraph graph, CUdevice device, struct segment *segment)
{
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUDA_MEM_ALLOC_NODE_PARAMS_v1 *alloc = &graph->nodes[i]->parameters.alloc;
		if (!outlives(graph, i) || alloc->poolProps.location.id != device)
			continue;
		struct survivor *survivor = calloc(1, sizeof *survivor);
		if (!survivor)
			continue;
		*survivor = (struct survivor){.next = survivors, .address = alloc->dptr, .bytes = alloc->bytesize,
					      .segment = segment};
		survivors = survivor;
		segment->live++;
	}
}

static void note_high(CUdevice device)
{
	uint64_t now = reserved(device);
	for (int i = 0; i < 2; i++)
		high[device][i] = high[device][i] < now ? now : high[device][i];
}

static CUresult take(CUgraph graph, CUdevice device, CUstream stream)
{
	uint64_t need = need_of(graph, device, false), living = need_of(graph, device, true);
	if (!need)
		return CUDA_SUCCESS;
	uint64_t taken = take_idle(device, stream, need);
	if (taken < need && !sim_memory_take(&driver.machine, driver.process, driver.card_of[device], need - taken)) {
		struct segment *segment = taken ? put(device, stream, taken) : NULL;
		if (segment)
			segment->ticket = 0;
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (need > living)
		put(device, stream, need - living);
	struct segment *lasting = living ? put(device, stream, living) : NULL;
	if (lasting)
		add_survivors(graph, device, lasting);
	note_high(device);
	return CUDA_SUCCESS;
}

CUresult graph_memory_before(CUgraphExec exec, CUstream stream)
{
	CUresult result;
	driver_lock();
	if (exec->flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH)
		each_graph(exec->graph, free_own, 0, stream);
	result = each_graph(exec->graph, refuse_survivors, 0, stream);
	for (CUdevice device = 0; result == CUDA_SUCCESS && device < driver.device_count; device++)
		result = each_graph(exec->graph, take, device, stream);
	if (result == CUDA_SUCCESS)
		each_graph(exec->graph, take_free_nodes, 0, stream);
	driver_unlock();
	return result;
}

static CUresult prepare(CUgraph graph, CUdevice device, CUstream stream)
{
	uint64_t need = need_of(graph, device, false), taken = take_idle(device, stream, need);
	bool enough = need == taken || sim_memory_take(&driver.machine, driver.process, driver.card_of[device],
						       need - taken);
	uint64_t kept = enough ? need : taken;
	if (kept)
		put(device, stream, kept);
	note_high(device);
	return enough ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult graph_memory_upload(CUgraphExec exec, CUstream stream)
{
	CUresult result = CUDA_SUCCESS;
	driver_lock();
	for (CUdevice device = 0; result == CUDA_SUCCESS && device < driver.device_count; device++)
		result = each_graph(exec->graph, prepare, device, stream);
	driver_unlock();
	return result;
}

void graph_memory_after(CUstream stream, uint64_t ticket)
{
	driver_lock();
	for (struct segment *segment = segments; segment; segment = segment->next)
		if (segment->stream == stream && segment->ticket == UINT64_MAX)
			segment->ticket = ticket;
	driver_unlock();
}

/* --- what a program asks of it */

static void give_up(CUdevice device)
{
	for (struct segment **link = &segments; *link;) {
		struct segment *segment = *link;
		if (segment->device != device ||
		    segment->live || segment->ticket == UINT64_MAX || !timeline_ended(segment->ticket)) {
			link = &segment->next;
			continue;
		}
		sim_memory_give(&driver.machine, driver.process, driver.card_of[device], segment->bytes);
		*link = segment->next;
		free(segment);
	}
}

SIM_EXPORT CUresult cuDeviceGraphMemTrim(CUdevice device)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	give_up(device);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS || !value || (unsigned)attribute > CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH)
		return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	bool highest = attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH || attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH;
	*(cuuint64_t *)value = highest ? high[device][attribute / 2] : reserved(device);
	driver_unlock();
	return CUDA_SUCCESS;
}

/* Only the highest values can be set, and only to nothing. */
SIM_EXPORT CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	if (!value || *(cuuint64_t *)value ||
	    (attribute != CU_GRAPH_MEM_ATTR_USED_MEM_HIGH && attribute != CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH))
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	high[device][attribute / 2] = reserved(device);
	driver_unlock();
	return CUDA_SUCCESS;
}
