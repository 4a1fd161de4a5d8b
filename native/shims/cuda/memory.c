/*
 * Plain, managed and pitched memory, and freeing of any. Room is reserved in the slice before the driver is asked, so
 * that no mix of threads and processes exceeds the limit, and given back when the driver refuses or frees.
 *
 * Memory that was never charged (the program had it before, or imported it) is freed by the driver as if nobody stood
 * between. Managed memory is charged when it is allocated, although the device takes it when it is touched.
 */
#include "memory.h"

#include <pthread.h>

#include "addresses.h"
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

/* After the driver's answer: keep the charge or give it back. Memory that cannot be remembered is not given. */
static CUresult settle(CUresult result, const CUdeviceptr *pointer, uint64_t bytes, unsigned position)
{
	if (result != CUDA_SUCCESS)
		slice_release(position, block_room(bytes));
	if (result != CUDA_SUCCESS || addresses_add(*pointer, bytes, position, block_room(bytes)))
		return result;
	cuda_real()->cuMemFree_v2(*pointer);
	return CUDA_ERROR_OUT_OF_MEMORY;
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
	if (result == CUDA_SUCCESS && addresses_add_to_others(given)) {
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
	CUresult result = slice_answered(position, request->call(request, pointer));
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

CUresult hook_mem_free(CUresult (*real)(CUdeviceptr), CUdeviceptr pointer)
{
	struct freed forgotten = addresses_forget(pointer);
	return addresses_freed(real(pointer), &forgotten);
}

static CUresult free_async(CUresult (*real)(CUdeviceptr, CUstream), CUdeviceptr pointer, CUstream stream,
			   bool per_thread)
{
	if (capture_of(stream, per_thread))
		return real(pointer, stream); /* a node of a graph: nothing is freed now */
	struct freed forgotten = addresses_forget(pointer);
	return addresses_freed(real(pointer, stream), &forgotten);
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
	struct freed forgotten = addresses_forget(pointer);
	return addresses_freed(real(pointer), &forgotten);
}

/*
 * Physical memory and what is mapped of it belong to no context. Of the rest all is gone with the last context of the
 * device; while others are left, the driver says of each address whether it is. Of small allocations and arrays it
 * does not, so these stay charged until then.
 */
void memory_context_ended(unsigned position, bool last)
{
	addresses_drop(position, last);
	if (!last)
		return;
	sparse_context_ended(position);
	arrays_drop(position);
	graphs_settle(position);
}
