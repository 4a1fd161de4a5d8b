/* Stream-ordered allocation and the calls on pools. The device is the stream's, whatever context is current. */
#include "capture.h"
#include "pool.h"

static CUresult allocate(CUdeviceptr *out, size_t bytes, CUmemoryPool pool, bool given, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS ||
	    (out && bytes && capture_allocate(out, bytes, stream, per_thread, &result)))
		return result;
	driver_lock();
	result = pool_allocate(context, given ? pool : pool_current(context->device), bytes, out);
	driver_unlock();
	return result;
}

static CUresult release(CUdeviceptr address, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (capture_free(address, stream, per_thread, &result))
		return result;
	return result == CUDA_SUCCESS ? memory_free(address) : result;
}

SIM_EXPORT CUresult cuMemAllocAsync(CUdeviceptr *out, size_t bytes, CUstream stream)
{
	return allocate(out, bytes, NULL, false, stream, false);
}

SIM_EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *out, size_t bytes, CUstream stream)
{
	return allocate(out, bytes, NULL, false, stream, true);
}

SIM_EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *out, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	return allocate(out, bytes, pool, true, stream, false);
}

SIM_EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *out, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	return allocate(out, bytes, pool, true, stream, true);
}

SIM_EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream)
{
	return release(address, stream, false);
}

SIM_EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream)
{
	return release(address, stream, true);
}

SIM_EXPORT CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties)
{
	NEED_INIT();
	if (!pool || !properties || properties->allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
		return CUDA_ERROR_INVALID_VALUE;
	if (properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_NOT_SUPPORTED; /* pools of host memory take nothing of a card and are not simulated */
	if (!device_exists(properties->location.id))
		return CUDA_ERROR_INVALID_DEVICE;
	driver_lock();
	CUresult result = pool_create(properties->location.id, properties->maxSize, pool);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool)
{
	NEED_INIT();
	driver_lock();
	CUresult result = pool_destroy(pool);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t keep)
{
	NEED_INIT();
	driver_lock();
	CUresult result = pool_trim(pool, keep);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
	NEED_INIT();
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUresult result = pool_get(pool, attribute, value);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
	NEED_INIT();
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUresult result = pool_set(pool, attribute, (int)attribute > 3 ? *(uint64_t *)value : 0);
	driver_unlock();
	return result;
}

static CUresult get_pool(CUmemoryPool *pool, CUdevice device, CUmemoryPool (*which)(CUdevice))
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	if (!pool)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	*pool = which(device);
	driver_unlock();
	return *pool ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static bool of_a_device(const CUmemLocation *location, CUmemAllocationType type)
{
	return location && location->type == CU_MEM_LOCATION_TYPE_DEVICE && type == CU_MEM_ALLOCATION_TYPE_PINNED;
}

SIM_EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
	return get_pool(pool, device, pool_default);
}

SIM_EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device)
{
	return get_pool(pool, device, pool_current);
}

SIM_EXPORT CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	result = pool_make_current(device, pool);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
	return of_a_device(location, type) ? get_pool(pool, location->id, pool_default) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemGetMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
	return of_a_device(location, type) ? get_pool(pool, location->id, pool_current) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemSetMemPool(CUmemLocation *location, CUmemAllocationType type, CUmemoryPool pool)
{
	return of_a_device(location, type) ? cuDeviceSetMemPool(location->id, pool) : CUDA_ERROR_INVALID_VALUE;
}
