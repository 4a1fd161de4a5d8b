/*
 * Plain, managed and pitched memory, and freeing of any. Room is reserved in the slice before the driver is asked, so
 * that no mix of threads and processes exceeds the limit, and given back when the driver refuses or frees.
 *
 * Memory that was never charged (the program had it before, or imported it) is freed by the driver as if nobody stood
 * between. Managed memory is charged when it is allocated, although the device takes it when it is touched.
 */
#include "memory.h"

#include <pthread.h>

#include "blocks.h"
#include "capture.h"

static pthread_mutex_t squeezing = PTHREAD_MUTEX_INITIALIZER;

void memory_in_child(void)
{
	pthread_mutex_init(&squeezing, NULL);
	arrays_in_child();
	pools_in_child();
	virtual_in_child();
	sparse_in_child();
	graphs_in_child();
}

bool memory_settle(unsigned position)
{
	bool pools = pools_settle(position), exported = virtual_settle(position), graphs = graphs_settle(position);
	return pools || exported || graphs;
}

bool room_reserve(unsigned position, uint64_t bytes)
{
	return slice_reserve(position, bytes) || (memory_settle(position) && slice_reserve(position, bytes));
}

/* The charge of a block when one more lives in it: the first keeps what was reserved, the others need none. */
static bool join_block(CUdeviceptr pointer, unsigned position)
{
	struct charge block = {.key = block_key(pointer), .bytes = BLOCK_BYTES, .position = position};
	unsigned count = charges_join(CHARGE_BLOCK, &block);
	if (count > 1)
		slice_release(position, BLOCK_BYTES);
	return count > 0;
}

/* Remembers what the driver has given for what was reserved. */
static bool remember(CUdeviceptr pointer, uint64_t bytes, unsigned position)
{
	struct charge charge = {.key = pointer, .bytes = block_room(bytes), .position = position};
	return block_is_shared(bytes) ? join_block(pointer, position) : charges_add(CHARGE_POINTER, &charge);
}

/* After the driver's answer: keep the charge or give it back. Memory that cannot be remembered is not given. */
static CUresult settle(CUresult result, const CUdeviceptr *pointer, uint64_t bytes, unsigned position)
{
	if (result == CUDA_SUCCESS && remember(*pointer, bytes, position))
		return result;
	if (result == CUDA_SUCCESS)
		cuda_real()->cuMemFree_v2(*pointer);
	slice_release(position, block_room(bytes));
	return result == CUDA_SUCCESS ? CUDA_ERROR_OUT_OF_MEMORY : result;
}

/* A call for device memory with its arguments, whichever it is. */
struct request {
	CUresult (*call)(const struct request *, CUdeviceptr *);
	void *real;
	uint64_t bytes;
	size_t *pitch, width, height;
	unsigned int element, flags;
};

/*
 * The slice has no room for another block, but a small allocation may fit into one that this process has. Only the
 * driver knows: it is asked, one thread at a time, and what it took of the device for it is given back.
 */
static CUresult squeeze(const struct request *request, CUdeviceptr *pointer)
{
	CUdeviceptr given = 0;
	if (!block_is_shared(request->bytes) || pthread_mutex_lock(&squeezing) != 0)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = request->call(request, &given);
	if (result == CUDA_SUCCESS && charges_join_others(CHARGE_BLOCK, block_key(given))) {
		*pointer = given;
	} else if (result == CUDA_SUCCESS) {
		cuda_real()->cuMemFree_v2(given);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&squeezing);
	return result;
}

/* Beyond the card's own memory, where the slice's owner wants that: the driver moves pages to and fro. */
static CUresult beyond_the_card(const struct request *request, CUdeviceptr *pointer, unsigned position)
{
	const struct hetero_region *region = slice_region();
	if (!(region->devices[position].flags & HETERO_DEVICE_OVERSUBSCRIBE) || !cuda_real()->cuMemAllocManaged)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (request->pitch)
		*request->pitch = request->bytes / request->height;
	return cuda_real()->cuMemAllocManaged(pointer, request->bytes, CU_MEM_ATTACH_GLOBAL);
}

static CUresult allocate(const struct request *request, CUdeviceptr *pointer)
{
	unsigned position;
	if (!pointer || !request->bytes || !slice_current_device(&position))
		return request->call(request, pointer); /* the driver says what is wrong */
	if (!room_reserve(position, block_room(request->bytes)))
		return squeeze(request, pointer);
	CUresult result = request->call(request, pointer);
	if (result == CUDA_ERROR_OUT_OF_MEMORY)
		result = beyond_the_card(request, pointer, position);
	return settle(result, pointer, request->bytes, position);
}

static CUresult call_plain(const struct request *request, CUdeviceptr *pointer)
{
	CUresult (*real)(CUdeviceptr *, size_t) = request->real;
	return real(pointer, request->bytes);
}

CUresult hook_mem_alloc(CUresult (*real)(CUdeviceptr *, size_t), CUdeviceptr *pointer, size_t bytes)
{
	struct request request = {.call = call_plain, .real = (void *)real, .bytes = bytes};
	return allocate(&request, pointer);
}

static CUresult call_managed(const struct request *request, CUdeviceptr *pointer)
{
	CUresult (*real)(CUdeviceptr *, size_t, unsigned int) = request->real;
	return real(pointer, request->bytes, request->flags);
}

CUresult hook_mem_alloc_managed(CUresult (*real)(CUdeviceptr *, size_t, unsigned int), CUdeviceptr *pointer,
				size_t bytes, unsigned int flags)
{
	struct request request = {.call = call_managed, .real = (void *)real, .bytes = bytes, .flags = flags};
	return allocate(&request, pointer);
}

/*
 * The driver chooses the pitch, which is known only afterwards: where it is not what was reserved for, all is undone.
 */
static CUresult call_pitch(const struct request *request, CUdeviceptr *pointer)
{
	CUresult (*real)(CUdeviceptr *, size_t *, size_t, size_t, unsigned int) = request->real;
	size_t pitch = 0;
	CUresult result = real(pointer, &pitch, request->width, request->height, request->element);
	if (result != CUDA_SUCCESS)
		return result;
	uint64_t granted = (uint64_t)pitch * request->height;
	if (block_room(granted) > block_room(request->bytes) ||
	    block_is_shared(granted) != block_is_shared(request->bytes)) {
		cuda_real()->cuMemFree_v2(*pointer);
		hetero_log(HETERO_ERROR, "a pitch of %zu for a width of %zu is not expected", pitch, request->width);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*request->pitch = pitch;
	return result;
}

CUresult hook_mem_alloc_pitch(CUresult (*real)(CUdeviceptr *, size_t *, size_t, size_t, unsigned int),
			      CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned int element)
{
	uint64_t row = block_round(width, BLOCK_PLACE), bytes;
	if (!pitch || __builtin_mul_overflow(row, height, &bytes))
		return real(pointer, pitch, width, height, element);
	struct request request = {.call = call_pitch, .real = (void *)real, .bytes = bytes, .pitch = pitch,
				  .width = width, .height = height, .element = element};
	return allocate(&request, pointer);
}

/* Forgets an address. It is taken out first: once the driver has freed it, another thread may be given it. */
struct freed {
	enum charge_kind kind;
	bool charged;
	struct charge charge;
};

static bool forget_own(CUdeviceptr pointer, struct freed *freed)
{
	freed->kind = CHARGE_POINTER;
	return charges_take(CHARGE_POINTER, pointer, &freed->charge);
}

static bool forget_shared(CUdeviceptr pointer, struct freed *freed)
{
	freed->kind = CHARGE_BLOCK;
	return charges_leave(CHARGE_BLOCK, block_key(pointer), &freed->charge);
}

/* Which is tried first only saves time: large allocations begin where a block may. */
static struct freed forget(CUdeviceptr pointer)
{
	struct freed freed;
	bool may_be_own = pointer % BLOCK_BYTES == 0;
	freed.charged = may_be_own ? forget_own(pointer, &freed) || forget_shared(pointer, &freed)
				   : forget_shared(pointer, &freed) || forget_own(pointer, &freed);
	return freed;
}

static void give_back(const struct charge *charge)
{
	if (charge->object)
		pool_pointer_freed(charge->object, charge->bytes);
	else if (!charge->count)
		slice_release(charge->position, charge->bytes);
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

static CUresult freed(CUresult result, const struct freed *freed)
{
	if (freed->charged && result == CUDA_SUCCESS)
		give_back(&freed->charge);
	else if (freed->charged)
		restore(freed);
	return result;
}

CUresult hook_mem_free(CUresult (*real)(CUdeviceptr), CUdeviceptr pointer)
{
	struct freed forgotten = forget(pointer);
	return freed(real(pointer), &forgotten);
}

static CUresult free_async(CUresult (*real)(CUdeviceptr, CUstream), CUdeviceptr pointer, CUstream stream,
			   bool per_thread)
{
	if (capture_of(stream, per_thread))
		return real(pointer, stream); /* a node of a graph: nothing is freed now */
	struct freed forgotten = forget(pointer);
	return freed(real(pointer, stream), &forgotten);
}

CUresult hook_mem_free_async(CUresult (*real)(CUdeviceptr, CUstream), CUdeviceptr pointer, CUstream stream)
{
	return free_async(real, pointer, stream, false);
}

CUresult hook_mem_free_async_ptsz(CUresult (*real)(CUdeviceptr, CUstream), CUdeviceptr pointer, CUstream stream)
{
	return free_async(real, pointer, stream, true);
}

CUresult hook_mem_free_v1(CUresult (*real)(CUdeviceptr_v1), CUdeviceptr_v1 pointer)
{
	struct freed forgotten = forget(pointer);
	return freed(real(pointer), &forgotten);
}

static void lost(const struct charge *charge)
{
	if (charge->object)
		pool_pointer_freed(charge->object, charge->bytes);
	else
		slice_release(charge->position, charge->bytes);
}

static bool unknown_to_driver(const struct charge *charge)
{
	unsigned int type;
	return !charge->object && cuda_real()->cuPointerGetAttribute &&
	       cuda_real()->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, charge->key) ==
		       CUDA_ERROR_INVALID_VALUE;
}

/*
 * Physical memory and what is mapped of it belong to no context. Of the rest all is gone with the last context of the
 * device; while others are left, the driver says of each address whether it is. Of small allocations and arrays it
 * does not, so these stay charged until then.
 */
void memory_context_ended(unsigned position, bool last)
{
	const struct charges_choice all = {.position = position, .give_back = lost};
	const struct charges_choice some = {.position = position, .gone = unknown_to_driver, .give_back = lost};
	charges_drop(CHARGE_POINTER, last ? &all : &some);
	if (!last)
		return;
	charges_drop(CHARGE_BLOCK, &all);
	sparse_context_ended(position);
	arrays_drop(position);
	graphs_settle(position);
}
