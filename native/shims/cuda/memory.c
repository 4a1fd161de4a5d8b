/*
 * The allocating calls and their counterparts. Room is reserved in the slice before the driver is asked, so that no mix of threads
 * and processes exceeds the limit, and given back when the driver refuses or frees.
 *
 * Memory that was never charged (the program had it before, or got it by a call that is not covered yet) is freed by
 * the driver as if nobody stood between.
 */
#include "shim.h"

/* Remembers a charge under the address that the driver gave; a charge that cannot be remembered is not kept. */
static void remember(enum charge_kind kind, uint64_t key, unsigned position, uint64_t bytes)
{
	struct charge charge = {.key = key, .bytes = bytes, .position = position};
	if (!charges_add(kind, &charge))
		slice_release(position, bytes);
}

/* After the driver's answer: keep the charge or give it back. */
static CUresult settle(CUresult result, const CUdeviceptr *pointer, unsigned position, uint64_t bytes)
{
	if (result == CUDA_SUCCESS)
		remember(CHARGE_POINTER, *pointer, position, bytes);
	else
		slice_release(position, bytes);
	return result;
}

CUresult hook_mem_alloc(CUresult (*real)(CUdeviceptr *, size_t), CUdeviceptr *pointer, size_t bytes)
{
	unsigned position;
	if (!slice_current_device(&position))
		return real(pointer, bytes); /* the driver says what is wrong */
	if (!slice_reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return settle(real(pointer, bytes), pointer, position, bytes);
}

CUresult hook_mem_alloc_managed(CUresult (*real)(CUdeviceptr *, size_t, unsigned int), CUdeviceptr *pointer,
				size_t bytes, unsigned int flags)
{
	unsigned position;
	if (!slice_current_device(&position))
		return real(pointer, bytes, flags);
	if (!slice_reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return settle(real(pointer, bytes, flags), pointer, position, bytes);
}

CUresult hook_mem_alloc_async(CUresult (*real)(CUdeviceptr *, size_t, CUstream), CUdeviceptr *pointer, size_t bytes,
			      CUstream stream)
{
	unsigned position;
	if (!slice_current_device(&position))
		return real(pointer, bytes, stream);
	if (!slice_reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return settle(real(pointer, bytes, stream), pointer, position, bytes);
}

/* The driver chooses the pitch: what it made of the width is known only afterwards. */
static CUresult correct_pitch(CUdeviceptr pointer, unsigned position, uint64_t reserved, uint64_t granted)
{
	if (granted > reserved && !slice_reserve(position, granted - reserved)) {
		cuda_real()->cuMemFree_v2(pointer);
		slice_release(position, reserved);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (granted < reserved)
		slice_release(position, reserved - granted);
	remember(CHARGE_POINTER, pointer, position, granted);
	return CUDA_SUCCESS;
}

CUresult hook_mem_alloc_pitch(CUresult (*real)(CUdeviceptr *, size_t *, size_t, size_t, unsigned int),
			      CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned int element)
{
	unsigned position;
	size_t bytes;
	if (__builtin_mul_overflow(width, height, &bytes) || !slice_current_device(&position))
		return real(pointer, pitch, width, height, element);
	if (!slice_reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = real(pointer, pitch, width, height, element);
	if (result == CUDA_SUCCESS)
		return correct_pitch(*pointer, position, bytes, (uint64_t)*pitch * height);
	slice_release(position, bytes);
	return result;
}

/* The device is the one in the properties, whatever context is current; host memory is not the slice's. */
CUresult hook_mem_create(CUresult (*real)(CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *,
					  unsigned long long),
			 CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *properties,
			 unsigned long long flags)
{
	if (!properties || properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return real(handle, bytes, properties, flags);
	unsigned position = slice_device(properties->location.id);
	if (!slice_reserve(position, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = real(handle, bytes, properties, flags);
	if (result == CUDA_SUCCESS)
		remember(CHARGE_HANDLE, *handle, position, bytes);
	else
		slice_release(position, bytes);
	return result;
}

/* The charge is taken out first: once the driver has freed an address, another thread may be given it. */
static CUresult give_back(CUresult result, enum charge_kind kind, bool charged, const struct charge *charge)
{
	if (charged && result == CUDA_SUCCESS)
		slice_release(charge->position, charge->bytes);
	else if (charged)
		charges_add(kind, charge);
	return result;
}

CUresult hook_mem_free(CUresult (*real)(CUdeviceptr), CUdeviceptr pointer)
{
	struct charge charge;
	bool charged = charges_take(CHARGE_POINTER, pointer, &charge);
	return give_back(real(pointer), CHARGE_POINTER, charged, &charge);
}

CUresult hook_mem_free_async(CUresult (*real)(CUdeviceptr, CUstream), CUdeviceptr pointer, CUstream stream)
{
	struct charge charge;
	bool charged = charges_take(CHARGE_POINTER, pointer, &charge);
	return give_back(real(pointer, stream), CHARGE_POINTER, charged, &charge);
}

CUresult hook_mem_release(CUresult (*real)(CUmemGenericAllocationHandle), CUmemGenericAllocationHandle handle)
{
	struct charge charge;
	bool charged = charges_take(CHARGE_HANDLE, handle, &charge);
	return give_back(real(handle), CHARGE_HANDLE, charged, &charge);
}
