/*
 * Arrays. The driver gives them no address, so that it is not seen which small ones share a block: they are charged the part of
 * a block that each of its like takes, all of a device together rounded up to whole blocks. Where small arrays of many
 * sizes come and go, the device may hold some blocks more than that.
 */
#include <pthread.h>
#include <string.h>

#include "blocks.h"
#include "memory.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t shares[HETERO_DEVICES]; /* bytes of small arrays */

void arrays_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(shares, 0, sizeof shares);
}

static uint64_t charged(uint64_t total)
{
	return block_round(total, BLOCK_BYTES);
}

static bool reserve_share(unsigned position, uint64_t share)
{
	if (position >= HETERO_DEVICES)
		return false;
	pthread_mutex_lock(&lock);
	uint64_t total = shares[position], more = charged(total + share) - charged(total);
	bool reserved = !more || slice_reserve(position, more);
	if (reserved)
		shares[position] = total + share;
	pthread_mutex_unlock(&lock);
	return reserved;
}

static void release_share(unsigned position, uint64_t share)
{
	pthread_mutex_lock(&lock);
	uint64_t total = shares[position], left = total > share ? total - share : 0;
	shares[position] = left;
	if (charged(total) > charged(left))
		slice_release(position, charged(total) - charged(left));
	pthread_mutex_unlock(&lock);
}

/* `bytes` of a charge are those of the array, as estimated. */
static bool reserve(unsigned position, uint64_t bytes)
{
	if (!block_is_shared(bytes))
		return room_reserve(position, block_room(bytes));
	return reserve_share(position, block_share(bytes)) ||
	       (memory_settle(position) && reserve_share(position, block_share(bytes)));
}

static void release(unsigned position, uint64_t bytes)
{
	if (block_is_shared(bytes))
		release_share(position, block_share(bytes));
	else
		slice_release(position, block_room(bytes));
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
	if (!reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = maker->call(maker, array);
	struct charge charge = {.bytes = bytes, .position = position};
	if (result == CUDA_SUCCESS) {
		charge.key = (uint64_t)(uintptr_t)*array;
		if (charges_add(CHARGE_ARRAY, &charge))
			return result;
		maker->undo(*array);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	release(position, bytes);
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
static CUresult destroyed(CUresult result, bool was_charged, const struct charge *charge)
{
	if (was_charged && result == CUDA_SUCCESS)
		release(charge->position, charge->bytes);
	else if (was_charged)
		charges_add(CHARGE_ARRAY, charge);
	return result;
}

CUresult hook_array_destroy(CUresult (*real)(CUarray), CUarray array)
{
	struct charge charge;
	bool was_charged = charges_take(CHARGE_ARRAY, (uint64_t)(uintptr_t)array, &charge);
	return destroyed(real(array), was_charged, &charge);
}

CUresult hook_mipmap_destroy(CUresult (*real)(CUmipmappedArray), CUmipmappedArray array)
{
	struct charge charge;
	bool was_charged = charges_take(CHARGE_ARRAY, (uint64_t)(uintptr_t)array, &charge);
	return destroyed(real(array), was_charged, &charge);
}

static void lost(const struct charge *charge)
{
	release(charge->position, charge->bytes);
}

void arrays_drop(unsigned position)
{
	charges_drop(CHARGE_ARRAY, position, lost);
}
