/* The calls for plain, managed and pitched memory, and what they say about it. */
#include "capture.h"
#include "memory.h"

SIM_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
	NEED_CONTEXT(context);
	NEED_NO_CAPTURE();
	return memory_allocate(context, bytes, PLAIN, out);
}

SIM_EXPORT CUresult cuMemAllocManaged(CUdeviceptr *out, size_t bytes, unsigned int flags)
{
	NEED_CONTEXT(context);
	NEED_NO_CAPTURE();
	if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST)
		return CUDA_ERROR_INVALID_VALUE;
	return memory_allocate(context, bytes, MANAGED, out);
}

SIM_EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width, size_t height,
				       unsigned int element)
{
	NEED_CONTEXT(context);
	NEED_NO_CAPTURE();
	if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16))
		return CUDA_ERROR_INVALID_VALUE;
	size_t wide = round_up(width, PLACE);
	if (wide < width || height > UINT64_MAX / 2 / wide)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = memory_allocate(context, wide * height, PLAIN, out);
	if (result == CUDA_SUCCESS)
		*pitch = wide;
	return result;
}

/* Waits for all work of the context first, as the driver does. */
SIM_EXPORT CUresult cuMemFree_v2(CUdeviceptr address)
{
	NEED_CONTEXT(context);
	if (!address)
		return CUDA_SUCCESS;
	NEED_NO_CAPTURE();
	timeline_wait(context->tail);
	return memory_free(address);
}

SIM_EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
	NEED_CONTEXT(context);
	virtual_settle();
	if (free_bytes)
		*free_bytes = sim_memory_free(&driver.machine, driver.card_of[context->device]);
	if (total)
		*total = device_card(context->device)->memory_bytes;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address)
{
	NEED_CONTEXT(context);
	(void)context;
	driver_lock();
	const struct allocation *found = memory_find(address);
	if (found && base)
		*base = found->address;
	if (found && bytes)
		*bytes = found->bytes;
	driver_unlock();
	return found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
