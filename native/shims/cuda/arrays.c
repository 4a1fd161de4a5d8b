/*
 * Arrays. The driver gives them no address, so that it is not seen which small ones share a block: places.c has a model
 * of it.
 */
#include <pthread.h>
#include <string.h>

#include "memory.h"
#include "places.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct placed_block *blocks[HETERO_DEVICES];

void arrays_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(blocks, 0, sizeof blocks);
}

/* With the lock held: a place, in a new block of the slice's where no other has room. */
static bool take_place(struct charge *charge)
{
	struct placed_block *block = places_find(blocks[charge->position], charge->bytes, &charge->count);
	if (!block && slice_reserve(charge->position, BLOCK_BYTES)) {
		block = places_add(&blocks[charge->position]);
		charge->count = 0;
		if (!block)
			slice_release(charge->position, BLOCK_BYTES);
	}
	if (block)
		places_take(block, charge->bytes, charge->count);
	charge->object = block;
	return block != NULL;
}

static bool reserve_place(struct charge *charge)
{
	if (charge->position >= HETERO_DEVICES)
		return false;
	pthread_mutex_lock(&lock);
	bool taken = take_place(charge);
	pthread_mutex_unlock(&lock);
	return taken;
}

/* `bytes` of a charge are those of the array, as estimated; `count` is the place of a small one in its block. */
static bool reserve(struct charge *charge)
{
	if (!block_is_shared(charge->bytes))
		return room_reserve(charge->position, block_room(charge->bytes));
	return reserve_place(charge) || (memory_settle(charge->position) && reserve_place(charge));
}

static void release(const struct charge *charge)
{
	if (!block_is_shared(charge->bytes)) {
		slice_release(charge->position, block_room(charge->bytes));
		return;
	}
	pthread_mutex_lock(&lock);
	if (places_give(charge->object, charge->bytes, charge->count))
		slice_release(charge->position, BLOCK_BYTES);
	pthread_mutex_unlock(&lock);
}

/* A call that makes an array, whichever it is. */
struct maker {
	CUresult (*call)(const struct maker *, void **array);
	void *real;
	const void *described; /* the program's own descriptor */
	unsigned levels;
	void (*undo)(void *array);
};

static CUresult make(const struct maker *maker, const CUDA_ARRAY3D_DESCRIPTOR *descriptor, void **array)
{
	unsigned position;
	uint64_t bytes = descriptor ? array_bytes(descriptor, maker->levels) : 0;
	if (!array || !bytes || !slice_current_device(&position))
		return maker->call(maker, array);
	struct charge charge = {.bytes = bytes, .position = position};
	if (!reserve(&charge))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = slice_answered(position, maker->call(maker, array));
	if (result == CUDA_SUCCESS) {
		charge.key = (uint64_t)(uintptr_t)*array;
		if (charges_add(CHARGE_ARRAY, &charge))
			return result;
		maker->undo(*array);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	release(&charge);
	return result;
}

static void undo_array(void *array)
{
	cuda_real()->cuArrayDestroy(array);
}

static void undo_mipmap(void *array)
{
	cuda_real()->cuMipmappedArrayDestroy(array);
}

static CUresult call_2d(const struct maker *maker, void **array)
{
	CUresult (*real)(CUarray *, const CUDA_ARRAY_DESCRIPTOR *) = maker->real;
	return real((CUarray *)array, maker->described);
}

CUresult hook_array_create(CUresult (*real)(CUarray *, const CUDA_ARRAY_DESCRIPTOR *), CUarray *array,
			   const CUDA_ARRAY_DESCRIPTOR *descriptor)
{
	struct maker maker = {call_2d, (void *)real, descriptor, 1, undo_array};
	if (!descriptor)
		return make(&maker, NULL, (void **)array);
	CUDA_ARRAY3D_DESCRIPTOR whole = {.Width = descriptor->Width, .Height = descriptor->Height,
					 .Format = descriptor->Format, .NumChannels = descriptor->NumChannels};
	return make(&maker, &whole, (void **)array);
}

static CUresult call_2d_v1(const struct maker *maker, void **array)
{
	CUresult (*real)(CUarray *, const CUDA_ARRAY_DESCRIPTOR_v1 *) = maker->real;
	return real((CUarray *)array, maker->described);
}

CUresult hook_array_create_v1(CUresult (*real)(CUarray *, const CUDA_ARRAY_DESCRIPTOR_v1 *), CUarray *array,
			      const CUDA_ARRAY_DESCRIPTOR_v1 *descriptor)
{
	struct maker maker = {call_2d_v1, (void *)real, descriptor, 1, undo_array};
	if (!descriptor)
		return make(&maker, NULL, (void **)array);
	CUDA_ARRAY3D_DESCRIPTOR whole = {.Width = descriptor->Width, .Height = descriptor->Height,
					 .Format = descriptor->Format, .NumChannels = descriptor->NumChannels};
	return make(&maker, &whole, (void **)array);
}

static CUresult call_3d(const struct maker *maker, void **array)
{
	CUresult (*real)(CUarray *, const CUDA_ARRAY3D_DESCRIPTOR *) = maker->real;
	return real((CUarray *)array, maker->described);
}

CUresult hook_array_3d_create(CUresult (*real)(CUarray *, const CUDA_ARRAY3D_DESCRIPTOR *), CUarray *array,
			      const CUDA_ARRAY3D_DESCRIPTOR *descriptor)
{
	struct maker maker = {call_3d, (void *)real, descriptor, 1, undo_array};
	return make(&maker, descriptor, (void **)array);
}

static CUresult call_3d_v1(const struct maker *maker, void **array)
{
	CUresult (*real)(CUarray *, const CUDA_ARRAY3D_DESCRIPTOR_v1 *) = maker->real;
	return real((CUarray *)array, maker->described);
}

CUresult hook_array_3d_create_v1(CUresult (*real)(CUarray *, const CUDA_ARRAY3D_DESCRIPTOR_v1 *), CUarray *array,
				 const CUDA_ARRAY3D_DESCRIPTOR_v1 *descriptor)
{
	struct maker maker = {call_3d_v1, (void *)real, descriptor, 1, undo_array};
	if (!descriptor)
		return make(&maker, NULL, (void **)array);
	CUDA_ARRAY3D_DESCRIPTOR whole = {.Width = descriptor->Width, .Height = descriptor->Height,
					 .Depth = descriptor->Depth, .Format = descriptor->Format,
					 .NumChannels = descriptor->NumChannels, .Flags = descriptor->Flags};
	return make(&maker, &whole, (void **)array);
}

static CUresult call_mipmap(const struct maker *maker, void **array)
{
	CUresult (*real)(CUmipmappedArray *, const CUDA_ARRAY3D_DESCRIPTOR *, unsigned int) = maker->real;
	return real((CUmipmappedArray *)array, maker->described, maker->levels);
}

CUresult hook_mipmap_create(CUresult (*real)(CUmipmappedArray *, const CUDA_ARRAY3D_DESCRIPTOR *, unsigned int),
			    CUmipmappedArray *array, const CUDA_ARRAY3D_DESCRIPTOR *descriptor, unsigned int levels)
{
	struct maker maker = {call_mipmap, (void *)real, descriptor, levels, undo_mipmap};
	return make(&maker, descriptor, (void **)array);
}

/* Levels and planes of an array have no charge of their own, so that they are the driver's to refuse. */
static CUresult destroyed(CUresult result, bool was_charged, const struct charge *charge, const void *array)
{
	if (result == CUDA_SUCCESS)
		sparse_array_ended(array);
	if (was_charged && result == CUDA_SUCCESS)
		release(charge);
	else if (was_charged)
		charges_add(CHARGE_ARRAY, charge);
	return result;
}

CUresult hook_array_destroy(CUresult (*real)(CUarray), CUarray array)
{
	struct charge charge;
	bool was_charged = charges_take(CHARGE_ARRAY, (uint64_t)(uintptr_t)array, &charge);
	return destroyed(real(array), was_charged, &charge, array);
}

CUresult hook_mipmap_destroy(CUresult (*real)(CUmipmappedArray), CUmipmappedArray array)
{
	struct charge charge;
	bool was_charged = charges_take(CHARGE_ARRAY, (uint64_t)(uintptr_t)array, &charge);
	return destroyed(real(array), was_charged, &charge, array);
}

static void lost(const struct charge *charge)
{
	release(charge);
}

void arrays_drop(unsigned position)
{
	const struct charges_choice all = {.position = position, .give_back = lost};
	charges_drop(CHARGE_ARRAY, &all);
}
