/*
 * Device memory.  An allocation is an address range and a charge on the card;
 * there is nothing behind it, except for managed memory, which the host may
 * touch.  What it costs the card is in blocks.c.
 *
 * A simplification: managed memory is charged to the card when it is allocated,
 * as far as there is room, while a card takes pages as they are touched.
 */
#include "memory.h"

#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Above all addresses of a process, so that no device address is ever a host address too. */
#define FIRST_ADDRESS (1ull << 48)

static void *tree;
static CUdeviceptr next_address = FIRST_ADDRESS;
static struct blocks plain[SIM_PLACES], managed[SIM_PLACES];

/* Ranges that overlap count as equal: so a look-up with one byte finds the range around it. */
static int compare_ranges(const void *left, const void *right)
{
	const struct allocation *a = left, *b = right;
	if (a->address + a->bytes <= b->address)
		return -1;
	return b->address + b->bytes <= a->address;
}

struct allocation *memory_find(CUdeviceptr address)
{
	struct allocation key = {.address = address, .bytes = 1};
	void *found = tfind(&key, &tree, compare_ranges);
	return found ? *(struct allocation **)found : NULL;
}

bool memory_covers(CUdeviceptr address, size_t bytes)
{
	driver_lock();
	const struct allocation *found = memory_find(address);
	bool covers = found ? bytes <= found->bytes - (address - found->address) : graph_memory_covers(address, bytes);
	driver_unlock();
	return covers;
}

CUdeviceptr memory_reserve_addresses(uint64_t bytes, uint64_t alignment)
{
	CUdeviceptr address = round_up(next_address, alignment);
	next_address = address + round_up(bytes, PLACE);
	return address;
}

/* Memory that the host can touch, at a multiple of BLOCK. */
static CUdeviceptr map_managed(uint64_t bytes)
{
	char *host = mmap(NULL, bytes + BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return 0;
	uint64_t before = round_up((uintptr_t)host, BLOCK) - (uintptr_t)host;
	if (before)
		munmap(host, before);
	if (before < BLOCK)
		munmap(host + before + bytes, BLOCK - before);
	return (CUdeviceptr)(uintptr_t)host + before;
}

static CUdeviceptr new_addresses(enum memory_kind kind, uint64_t bytes)
{
	return kind == MANAGED ? map_managed(bytes) : memory_reserve_addresses(bytes, BLOCK);
}

static void drop_addresses(enum memory_kind kind, CUdeviceptr address, uint64_t bytes)
{
	memory_forget_old(address, bytes);
	if (kind == MANAGED)
		munmap((void *)(uintptr_t)address, bytes);
}

bool memory_enter(const struct allocation *filled)
{
	struct allocation *allocation = malloc(sizeof *allocation);
	if (!allocation)
		return false;
	*allocation = *filled;
	if (!tsearch(allocation, &tree, compare_ranges)) {
		free(allocation);
		return false;
	}
	CUcontext context = allocation->context;
	allocation->link = NULL;
	if (!context)
		return true;
	allocation->next = context->allocations;
	allocation->link = &context->allocations;
	if (allocation->next)
		allocation->next->link = &allocation->next;
	context->allocations = allocation;
	return true;
}

static bool take(uint32_t card, uint64_t bytes)
{
	return sim_memory_take(&driver.machine, driver.process, card, bytes);
}

static void give(uint32_t card, uint64_t bytes)
{
	sim_memory_give(&driver.machine, driver.process, card, bytes);
}

static struct block *new_block(struct blocks *blocks, uint32_t card, enum memory_kind kind)
{
	if (!take(card, BLOCK))
		return NULL;
	CUdeviceptr address = new_addresses(kind, BLOCK);
	struct block *block = address ? blocks_add(blocks, address) : NULL;
	if (!block)
		give(card, BLOCK);
	return block;
}

/* A place in a shared block, an old one if any has room. */
static struct block *take_place(struct blocks *blocks, uint32_t card, enum memory_kind kind, uint64_t bytes,
				uint64_t *address)
{
	struct block *block = blocks_find(blocks, bytes, address);
	if (!block) {
		block = new_block(blocks, card, kind);
		if (!block)
			return NULL;
		*address = block->address;
	}
	block_take(block, *address, bytes);
	return block;
}

static void give_place(struct block *block, uint32_t card, enum memory_kind kind, CUdeviceptr address, uint64_t bytes)
{
	if (!block_give(block, address, bytes))
		return;
	drop_addresses(kind, block->address, BLOCK);
	blocks_remove(block);
	give(card, BLOCK);
}

bool memory_take_piece(struct blocks *shared, uint32_t card, uint64_t bytes, struct block **block, uint64_t *place)
{
	*block = NULL;
	if (bytes > BLOCK / 2) /* as far as is known, arrays of more have blocks of their own */
		return take(card, round_up(bytes, BLOCK));
	*block = take_place(shared, card, PLAIN, bytes, place);
	return *block != NULL;
}

void memory_give_piece(struct block *block, uint64_t place, uint32_t card, uint64_t bytes)
{
	if (block)
		give_place(block, card, PLAIN, place, bytes);
	else
		give(card, round_up(bytes, BLOCK));
}

static bool take_whole(struct allocation *filled)
{
	filled->charged = round_up(filled->bytes, BLOCK);
	if (!take(filled->card, filled->charged))
		return false;
	filled->address = new_addresses(filled->kind, filled->charged);
	if (!filled->address)
		give(filled->card, filled->charged);
	return filled->address != 0;
}

static void give_back(const struct allocation *allocation)
{
	if (allocation->kind == ASYNC) {
		pool_free(allocation);
	} else if (allocation->block) {
		give_place(allocation->block, allocation->card, allocation->kind, allocation->address, allocation->bytes);
	} else if (allocation->kind == MANAGED && !allocation->charged) {
		drop_addresses(MANAGED, allocation->address, round_up(allocation->bytes, BLOCK));
	} else if (allocation->charged) {
		drop_addresses(allocation->kind, allocation->address, allocation->charged);
		give(allocation->card, allocation->charged);
	} else if (allocation->kind == HOST) {
		munmap((void *)(uintptr_t)allocation->address, allocation->bytes);
	}
}

void memory_discard(struct allocation *allocation)
{
	tdelete(allocation, &tree, compare_ranges);
	if (allocation->link) {
		*allocation->link = allocation->next;
		if (allocation->next)
			allocation->next->link = allocation->link;
	}
	give_back(allocation);
	free(allocation);
}

void memory_forget_context(CUcontext context)
{
	while (context->allocations)
		memory_discard(context->allocations);
	arrays_forget_context(context);
	pools_synchronized(context->device);
}

void memory_synchronized(CUcontext context)
{
	driver_lock();
	pools_synchronized(context->device);
	driver_unlock();
}

static bool take_shared(struct allocation *filled)
{
	struct blocks *blocks = filled->kind == MANAGED ? managed : plain;
	uint64_t address;
	filled->block = take_place(&blocks[filled->card], filled->card, filled->kind, filled->bytes, &address);
	filled->address = address;
	return filled->block != NULL;
}

/* Managed memory that the card has no room for stays with the host. */
static bool take_none(struct allocation *filled)
{
	filled->charged = 0;
	filled->address = filled->kind == MANAGED ? map_managed(round_up(filled->bytes, BLOCK)) : 0;
	return filled->address != 0;
}

/* With the driver's lock held. */
static CUresult allocate(struct allocation *filled)
{
	bool taken = filled->bytes > BLOCK_SHARED ? take_whole(filled) : take_shared(filled);
	if (!taken && !take_none(filled))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (memory_enter(filled))
		return CUDA_SUCCESS;
	give_back(filled);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult memory_allocate(CUcontext context, uint64_t bytes, enum memory_kind kind, CUdeviceptr *out)
{
	struct allocation filled = {.bytes = bytes, .kind = kind, .context = context,
				    .card = driver.card_of[context->device]};
	if (!out || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes > UINT64_MAX / 2)
		return CUDA_ERROR_OUT_OF_MEMORY;
	driver_lock();
	CUresult result = allocate(&filled);
	driver_unlock();
	if (result == CUDA_SUCCESS)
		*out = filled.address;
	return result;
}

static bool can_be_freed(const struct allocation *found, CUdeviceptr address)
{
	return found && found->address == address &&
	       (found->kind == PLAIN || found->kind == MANAGED || found->kind == ASYNC || found->kind == IMPORTED);
}

CUresult memory_free(CUdeviceptr address)
{
	if (graph_memory_free(address))
		return CUDA_SUCCESS;
	driver_lock();
	struct allocation *found = memory_find(address);
	bool freeable = can_be_freed(found, address);
	if (freeable)
		memory_discard(found);
	driver_unlock();
	return freeable ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
