/*
 * Memory by its address. The device is lost in blocks of 2 MiB, and the address tells the blocks: each is charged once,
 * for whoever is in it. An allocation of more than half a block is remembered by itself as well, with its size; it has
 * the blocks between its first and its last alone, and those two where it fills them.
 */
#include "addresses.h"

#include "blocks.h"
#include "memory.h"

/* Blocks that others may be in too, and the bytes of those that nobody else can be in. */
struct extent {
	CUdeviceptr shared[2]; /* an address in each */
	unsigned count;
	uint64_t own;
};

static struct extent extent_of(CUdeviceptr pointer, uint64_t bytes)
{
	CUdeviceptr last = pointer + bytes - 1;
	struct extent extent = {.own = (last / BLOCK_BYTES - pointer / BLOCK_BYTES + 1) * BLOCK_BYTES};
	if (pointer % BLOCK_BYTES)
		extent.shared[extent.count++] = pointer;
	if ((last + 1) % BLOCK_BYTES && (!extent.count || last / BLOCK_BYTES != pointer / BLOCK_BYTES))
		extent.shared[extent.count++] = last;
	extent.own -= extent.count * BLOCK_BYTES;
	return extent;
}

/* How many are in the block now; 0 without memory. */
static unsigned join(CUdeviceptr pointer, unsigned position)
{
	struct charge block = {.key = block_key(pointer), .bytes = BLOCK_BYTES, .position = position};
	return charges_join(CHARGE_BLOCK, &block);
}

/* Bytes of the block, when nobody is left in it. */
static uint64_t leave(CUdeviceptr pointer)
{
	struct charge block;
	return charges_leave(CHARGE_BLOCK, block_key(pointer), &block) && !block.count ? BLOCK_BYTES : 0;
}

static bool add_small(CUdeviceptr pointer, unsigned position, uint64_t reserved)
{
	unsigned count = join(pointer, position);
	slice_release(position, count == 1 ? reserved - BLOCK_BYTES : reserved);
	return count > 0;
}

/* Takes back what was joined. A block that others have come into meanwhile stays charged. */
static bool undo(const struct extent *extent, unsigned joined, uint64_t taken, unsigned position, uint64_t reserved)
{
	int64_t kept = (int64_t)(taken - extent->own);
	for (unsigned i = 0; i < joined; i++)
		kept -= (int64_t)leave(extent->shared[i]);
	slice_release(position, (uint64_t)((int64_t)reserved - kept));
	return false;
}

static bool add_large(CUdeviceptr pointer, uint64_t bytes, unsigned position, uint64_t reserved)
{
	struct extent extent = extent_of(pointer, bytes);
	struct charge row = {.key = pointer, .bytes = bytes, .position = position, .count = extent.count};
	uint64_t taken = extent.own;
	unsigned joined = 0;
	for (unsigned count = 1; joined < extent.count && count; joined += count != 0) {
		count = join(extent.shared[joined], position);
		taken += count == 1 ? BLOCK_BYTES : 0;
	}
	if (joined < extent.count || (taken > reserved && !slice_reserve(position, taken - reserved)))
		return undo(&extent, joined, taken, position, reserved);
	if (!charges_add(CHARGE_POINTER, &row))
		return undo(&extent, joined, taken, position, taken > reserved ? taken : reserved);
	if (taken < reserved)
		slice_release(position, reserved - taken);
	return true;
}

bool addresses_add(CUdeviceptr pointer, uint64_t bytes, unsigned position, uint64_t reserved)
{
	return block_is_shared(bytes) ? add_small(pointer, position, reserved)
				      : add_large(pointer, bytes, position, reserved);
}

bool addresses_add_to_others(CUdeviceptr pointer)
{
	return charges_join_others(CHARGE_BLOCK, block_key(pointer));
}

struct freed addresses_forget(CUdeviceptr pointer)
{
	struct freed freed = {.kind = CHARGE_POINTER};
	freed.charged = charges_take(CHARGE_POINTER, pointer, &freed.charge);
	if (freed.charged)
		return freed;
	freed.kind = CHARGE_BLOCK;
	freed.charged = charges_leave(CHARGE_BLOCK, block_key(pointer), &freed.charge);
	return freed;
}

/* What the allocation had alone; all of it where no block of its was one that others could be in. */
static uint64_t own_bytes(const struct charge *charge)
{
	return charge->count ? extent_of(charge->key, charge->bytes).own : block_room(charge->bytes);
}

static void give_back_large(const struct charge *charge)
{
	uint64_t bytes = own_bytes(charge);
	if (charge->count) {
		struct extent extent = extent_of(charge->key, charge->bytes);
		for (unsigned i = 0; i < extent.count; i++)
			bytes += leave(extent.shared[i]);
	}
	slice_release(charge->position, bytes);
}

static void give_back_pointer(const struct charge *charge)
{
	if (charge->object)
		pool_pointer_freed(charge->object, charge->bytes);
	else
		give_back_large(charge);
}

static void give_back(const struct freed *freed)
{
	if (freed->kind == CHARGE_POINTER)
		give_back_pointer(&freed->charge);
	else if (!freed->charge.count)
		slice_release(freed->charge.position, freed->charge.bytes);
}

/*
 * The driver refused: the address is still what it was. Meanwhile another may have come into the block, with its
 * charge.
 */
static void restore(const struct freed *freed)
{
	unsigned count = 1;
	if (freed->kind == CHARGE_POINTER)
		charges_add(CHARGE_POINTER, &freed->charge);
	else
		count = charges_join(CHARGE_BLOCK, &freed->charge);
	if (freed->kind == CHARGE_BLOCK && !freed->charge.count && count > 1)
		slice_release(freed->charge.position, freed->charge.bytes);
}

CUresult addresses_freed(CUresult result, const struct freed *freed)
{
	if (freed->charged && result == CUDA_SUCCESS)
		give_back(freed);
	else if (freed->charged)
		restore(freed);
	return result;
}

/* Where all is dropped, its shared blocks are too, by themselves. */
static void drop_own(const struct charge *charge)
{
	if (charge->object)
		pool_pointer_freed(charge->object, charge->bytes);
	else
		slice_release(charge->position, own_bytes(charge));
}

static void drop_block(const struct charge *charge)
{
	slice_release(charge->position, charge->bytes);
}

static bool unknown_to_driver(const struct charge *charge)
{
	unsigned int type;
	return !charge->object && cuda_real()->cuPointerGetAttribute &&
	       cuda_real()->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, charge->key) ==
		       CUDA_ERROR_INVALID_VALUE;
}

void addresses_drop(unsigned position, bool all)
{
	const struct charges_choice pointers = {.position = position, .give_back = drop_own};
	const struct charges_choice blocks = {.position = position, .give_back = drop_block};
	const struct charges_choice some = {.position = position, .gone = unknown_to_driver,
					    .give_back = give_back_pointer};
	charges_drop(CHARGE_POINTER, all ? &pointers : &some);
	if (all)
		charges_drop(CHARGE_BLOCK, &blocks);
}
