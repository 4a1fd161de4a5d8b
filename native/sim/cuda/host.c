/* Host memory, which takes nothing of a card, and what the driver knows of any address. */
#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

static CUresult enter_host(void *pointer, uint64_t bytes, enum memory_kind kind, CUcontext context)
{
	struct allocation filled = {.address = (CUdeviceptr)(uintptr_t)pointer, .bytes = bytes, .kind = kind,
				    .context = context, .card = driver.card_of[context->device]};
	driver_lock();
	bool entered = memory_enter(&filled);
	driver_unlock();
	return entered ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult allocate_host(void **out, size_t bytes)
{
	NEED_CONTEXT(context);
	if (!out || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = enter_host(host, bytes, HOST, context);
	if (result == CUDA_SUCCESS)
		*out = host;
	else
		munmap(host, bytes);
	return result;
}

SIM_EXPORT CUresult cuMemAllocHost_v2(void **pointer, size_t bytes)
{
	return allocate_host(pointer, bytes);
}

SIM_EXPORT CUresult cuMemAllocHost(void **pointer, unsigned int bytes)
{
	return allocate_host(pointer, bytes);
}

SIM_EXPORT CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned int flags)
{
	return flags > 7 ? CUDA_ERROR_INVALID_VALUE : allocate_host(pointer, bytes);
}

static CUresult drop_host(void *pointer, enum memory_kind kind)
{
	NEED_INIT();
	driver_lock();
	struct allocation *found = memory_find((CUdeviceptr)(uintptr_t)pointer);
	bool good = found && found->kind == kind && found->address == (CUdeviceptr)(uintptr_t)pointer;
	if (good)
		memory_discard(found);
	driver_unlock();
	return good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemFreeHost(void *pointer)
{
	return drop_host(pointer, HOST);
}

SIM_EXPORT CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned int flags)
{
	NEED_CONTEXT(context);
	if (!pointer || !bytes || flags > 15)
		return CUDA_ERROR_INVALID_VALUE;
	return enter_host(pointer, bytes, HOST_REGISTERED, context);
}

SIM_EXPORT CUresult cuMemHostRegister(void *pointer, size_t bytes, unsigned int flags)
{
	return cuMemHostRegister_v2(pointer, bytes, flags);
}

SIM_EXPORT CUresult cuMemHostUnregister(void *pointer)
{
	return drop_host(pointer, HOST_REGISTERED);
}

SIM_EXPORT CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *pointer, unsigned int flags)
{
	NEED_INIT();
	driver_lock();
	const struct allocation *found = memory_find((CUdeviceptr)(uintptr_t)pointer);
	bool good = device && !flags && found && (found->kind == HOST || found->kind == HOST_REGISTERED);
	driver_unlock();
	if (good)
		*device = (CUdeviceptr)(uintptr_t)pointer;
	return good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemHostGetFlags(unsigned int *flags, void *pointer)
{
	CUdeviceptr ignored;
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = 0;
	return cuMemHostGetDevicePointer_v2(&ignored, pointer, 0);
}

static bool is_host(const struct allocation *found)
{
	return found->kind == HOST || found->kind == HOST_REGISTERED;
}

static CUdevice device_of(const struct allocation *found)
{
	CUdevice device = 0;
	while (driver.card_of[device] != found->card)
		device++;
	return device;
}

/* With the driver's lock held. */
static CUresult tell(const struct allocation *found, CUpointer_attribute attribute, CUdeviceptr pointer, void *value)
{
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		*(CUcontext *)value = found->context;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		*(unsigned int *)value = is_host(found) ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
		*(CUdeviceptr *)value = pointer;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		*(void **)value = (void *)(uintptr_t)pointer;
		return is_host(found) || found->kind == MANAGED ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		*(unsigned int *)value = found->kind == MANAGED;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
		*(int *)value = device_of(found);
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
		*(CUdeviceptr *)value = found->address;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
		*(size_t *)value = found->bytes;
		return CUDA_SUCCESS;
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		*(CUmemoryPool *)value = found->kind == ASYNC ? found->owner : NULL;
		return CUDA_SUCCESS;
	}
	return CUDA_ERROR_NOT_SUPPORTED;
}

SIM_EXPORT CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr pointer)
{
	NEED_INIT();
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	const struct allocation *found = memory_find(pointer);
	CUresult result = found ? tell(found, attribute, pointer, value) : CUDA_ERROR_INVALID_VALUE;
	driver_unlock();
	return result;
}

/* An address that the driver does not know has no attributes, which is no error; the outputs stay as they are. */
SIM_EXPORT CUresult cuPointerGetAttributes(unsigned int count, CUpointer_attribute *attributes, void **values,
					   CUdeviceptr pointer)
{
	NEED_INIT();
	if (!count || !attributes || !values)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	const struct allocation *found = memory_find(pointer);
	for (unsigned int i = 0; found && i < count; i++)
		tell(found, attributes[i], pointer, values[i]);
	driver_unlock();
	return CUDA_SUCCESS;
}
