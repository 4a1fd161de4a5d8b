/*
 * Memory pools and stream-ordered allocation. A pool takes the card's memory in chunks of 32 MiB and keeps a chunk
 * until nothing lies in it, the host has waited for the card, and more is reserved than the pool's threshold says.
 *
 * The one queue of the card orders everything, so a free takes effect at once within the pool.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27): of 20 MiB three times, the pool had reserved 32, 64, 64; with the
 * middle one freed, 30 MiB went behind the last, reserved 96; and chunks came back one by one, by synchronisation.
 */
#include <stdlib.h>

#include "pool.h"

struct piece {
	struct piece *next; /* by offset */
	uint64_t offset, bytes;
};

struct CUmemPoolHandle_st {
	struct object object;
	CUmemoryPool next;
	CUdevice device;
	uint64_t threshold, most, base;
	uint64_t used, used_high, reserved_high;
	struct piece *pieces, *last;
	bool holes; /* between the pieces: without any, the next goes behind the last */
	uint64_t chunk_count, chunk_end; /* chunks that it has, and the number after the last */
	bool chunks[POOL_RANGE / POOL_CHUNK];
	bool destroyed; /* it lives on until its last allocation is freed */
};

static CUmemoryPool pools, defaults[SIM_CARDS], currents[SIM_CARDS];

/* With the driver's lock held, like all here that is not a call. */
static CUmemoryPool new_pool(CUdevice device, uint64_t most)
{
	CUmemoryPool pool = calloc(1, sizeof *pool);
	if (!pool)
		return NULL;
	pool->object.kind = POOL;
	pool->next = pools;
	pool->device = device;
	pool->most = most;
	pool->base = memory_reserve_addresses(POOL_RANGE, POOL_CHUNK);
	pools = pool;
	return pool;
}

static void remove_pool(CUmemoryPool pool)
{
	CUmemoryPool *link = &pools;
	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
	free(pool);
}

static bool is_live(CUmemoryPool pool)
{
	for (CUmemoryPool other = pools; other; other = other->next)
		if (other == pool)
			return !pool->destroyed;
	return false;
}

CUmemoryPool pool_default(CUdevice device)
{
	if (!defaults[device])
		defaults[device] = new_pool(device, 0);
	return defaults[device];
}

CUmemoryPool pool_current(CUdevice device)
{
	return currents[device] ? currents[device] : pool_default(device);
}

/* Chunks that are not there yet of those that a range lies in. */
static uint64_t missing(CUmemoryPool pool, uint64_t offset, uint64_t bytes)
{
	uint64_t count = 0;
	for (uint64_t number = offset / POOL_CHUNK; number <= (offset + bytes - 1) / POOL_CHUNK; number++)
		count += !pool->chunks[number];
	return count;
}

static uint64_t piece_end(const struct piece *piece)
{
	return round_up(piece->offset + piece->bytes, PLACE);
}

/* Where the piece goes: the first gap that is wholly there, or else the first that is wide enough. Returns its link. */
static struct piece **find_gap(CUmemoryPool pool, uint64_t bytes, bool reserved_only, uint64_t *offset)
{
	struct piece **link = &pool->pieces;
	*offset = 0;
	if (pool->last && !pool->holes) {
		*offset = piece_end(pool->last);
		return reserved_only && missing(pool, *offset, bytes) ? NULL : &pool->last->next;
	}
	for (;; *offset = piece_end(*link), link = &(*link)->next) {
		bool wide = !*link || (*link)->offset - *offset >= bytes;
		if (wide && (!reserved_only || missing(pool, *offset, bytes) == 0))
			return link;
		if (!*link)
			return NULL;
	}
}

static bool add_chunk(CUmemoryPool pool, uint64_t number)
{
	if (!sim_memory_take(&driver.machine, driver.process, driver.card_of[pool->device], POOL_CHUNK))
		return false;
	pool->chunks[number] = true;
	pool->chunk_count++;
	if (number >= pool->chunk_end)
		pool->chunk_end = number + 1;
	return true;
}

static bool add_chunks(CUmemoryPool pool, uint64_t offset, uint64_t bytes)
{
	uint64_t wanted = (pool->chunk_count + missing(pool, offset, bytes)) * POOL_CHUNK;
	if (pool->most && wanted > round_up(pool->most, POOL_CHUNK))
		return false;
	for (uint64_t number = offset / POOL_CHUNK; number <= (offset + bytes - 1) / POOL_CHUNK; number++)
		if (!pool->chunks[number] && !add_chunk(pool, number))
			return false;
	return true;
}

static bool in_use(CUmemoryPool pool, uint64_t number)
{
	for (const struct piece *piece = pool->pieces; piece; piece = piece->next)
		if (piece->offset < (number + 1) * POOL_CHUNK && piece_end(piece) > number * POOL_CHUNK)
			return true;
	return false;
}

/* Gives chunks back that nothing lies in, as long as more than `keep` stays. */
static void trim(CUmemoryPool pool, uint64_t keep)
{
	for (uint64_t number = 0; number < pool->chunk_end && pool->chunk_count * POOL_CHUNK > keep; number++) {
		if (!pool->chunks[number] || in_use(pool, number))
			continue;
		pool->chunks[number] = false;
		pool->chunk_count--;
		sim_memory_give(&driver.machine, driver.process, driver.card_of[pool->device], POOL_CHUNK);
	}
	while (pool->chunk_end && !pool->chunks[pool->chunk_end - 1])
		pool->chunk_end--;
}

static uint64_t higher(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* 0 when there is no room. */
static uint64_t take_piece(CUmemoryPool pool, uint64_t bytes)
{
	uint64_t offset;
	struct piece **link = find_gap(pool, bytes, true, &offset);
	if (!link)
		link = find_gap(pool, bytes, false, &offset);
	struct piece *piece = malloc(sizeof *piece);
	if (!piece || !add_chunks(pool, offset, bytes)) {
		free(piece);
		trim(pool, pool->threshold);
		return 0;
	}
	*piece = (struct piece){.next = *link, .offset = offset, .bytes = bytes};
	*link = piece;
	if (!piece->next)
		pool->last = piece;
	pool->used += bytes;
	pool->used_high = higher(pool->used_high, pool->used);
	pool->reserved_high = higher(pool->reserved_high, pool->chunk_count * POOL_CHUNK);
	return pool->base + offset;
}

void pool_free(const struct allocation *allocation)
{
	CUmemoryPool pool = allocation->owner;
	struct piece **link = &pool->pieces, *before = NULL;
	while ((*link)->offset != allocation->address - pool->base) {
		before = *link;
		link = &before->next;
	}
	struct piece *piece = *link;
	*link = piece->next;
	pool->holes = pool->pieces != NULL;
	if (!piece->next)
		pool->last = before;
	pool->used -= piece->bytes;
	free(piece);
}

void pools_synchronized(CUdevice device)
{
	for (CUmemoryPool pool = pools, next; pool; pool = next) {
		next = pool->next;
		if (pool->device != device)
			continue;
		trim(pool, pool->destroyed ? 0 : pool->threshold);
		if (pool->destroyed && !pool->pieces)
			remove_pool(pool);
	}
}

CUresult pool_allocate(CUcontext context, CUmemoryPool pool, uint64_t bytes, CUdeviceptr *out)
{
	if (!out || !bytes || !is_live(pool))
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes > POOL_RANGE / 2)
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct allocation filled = {.address = take_piece(pool, bytes), .bytes = bytes, .kind = ASYNC, .owner = pool,
				    .context = context, .card = driver.card_of[pool->device]};
	if (!filled.address)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!memory_enter(&filled)) {
		pool_free(&filled);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*out = filled.address;
	return CUDA_SUCCESS;
}

CUresult pool_create(CUdevice device, uint64_t most, CUmemoryPool *out)
{
	CUmemoryPool pool = new_pool(device, most);
	if (pool)
		*out = pool;
	return pool ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult pool_destroy(CUmemoryPool pool)
{
	if (!is_live(pool) || pool == defaults[pool->device])
		return CUDA_ERROR_INVALID_VALUE;
	if (currents[pool->device] == pool)
		currents[pool->device] = NULL;
	pool->destroyed = true;
	if (!pool->pieces) {
		trim(pool, 0);
		remove_pool(pool);
	}
	return CUDA_SUCCESS;
}

CUresult pool_trim(CUmemoryPool pool, uint64_t keep)
{
	if (!is_live(pool))
		return CUDA_ERROR_INVALID_VALUE;
	trim(pool, keep);
	return CUDA_SUCCESS;
}

CUresult pool_make_current(CUdevice device, CUmemoryPool pool)
{
	if (!is_live(pool) || pool->device != device)
		return CUDA_ERROR_INVALID_VALUE;
	currents[device] = pool;
	return CUDA_SUCCESS;
}

CUresult pool_get(CUmemoryPool pool, CUmemPool_attribute attribute, uint64_t *value)
{
	if (!is_live(pool))
		return CUDA_ERROR_INVALID_VALUE;
	switch (attribute) {
	case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
		*value = pool->threshold;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
		*value = pool->chunk_count * POOL_CHUNK;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
		*value = pool->reserved_high;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
		*value = pool->used;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
		*value = pool->used_high;
		return CUDA_SUCCESS;
	default:
		*(int *)value = 1; /* every kind of reuse is allowed */
		return attribute >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES && (int)attribute <= 3
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult pool_set(CUmemoryPool pool, CUmemPool_attribute attribute, uint64_t value)
{
	if (!is_live(pool))
		return CUDA_ERROR_INVALID_VALUE;
	if (attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		pool->threshold = value;
	else if (attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH && !value)
		pool->reserved_high = pool->chunk_count * POOL_CHUNK;
	else if (attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH && !value)
		pool->used_high = pool->used;
	else if ((int)attribute > 3)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}
