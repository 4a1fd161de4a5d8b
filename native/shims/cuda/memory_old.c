/*
 * The calls of before CUDA 3.2: addresses of 32 bits, of which nothing is known but that each may lie in blocks of its
 * own.
 */
#include "blocks.h"
#include "memory.h"

static CUresult settle_old(CUresult result, const CUdeviceptr_v1 *pointer, uint64_t bytes, unsigned position)
{
	struct charge charge = {.bytes = block_room(bytes), .position = position};
	if (result == CUDA_SUCCESS) {
		charge.key = *pointer;
		if (charges_add(CHARGE_POINTER, &charge))
			return result;
		cuda_real()->cuMemFree(*pointer);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	slice_release(position, charge.bytes);
	return result;
}

CUresult hook_mem_alloc_v1(CUresult (*real)(CUdeviceptr_v1 *, unsigned int), CUdeviceptr_v1 *pointer,
			   unsigned int bytes)
{
	unsigned position;
	if (!pointer || !bytes || !slice_current_device(&position))
		return real(pointer, bytes);
	if (!room_reserve(position, block_room(bytes)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return settle_old(slice_answered(position, real(pointer, bytes)), pointer, bytes, position);
}

CUresult hook_mem_alloc_pitch_v1(CUresult (*real)(CUdeviceptr_v1 *, unsigned int *, unsigned int, unsigned int,
						  unsigned int),
				 CUdeviceptr_v1 *pointer, unsigned int *pitch, unsigned int width, unsigned int height,
				 unsigned int element)
{
	unsigned position;
	uint64_t bytes = block_round(width, BLOCK_PLACE) * height;
	if (!pointer || !bytes || !slice_current_device(&position))
		return real(pointer, pitch, width, height, element);
	if (!room_reserve(position, block_room(bytes)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = slice_answered(position, real(pointer, pitch, width, height, element));
	return settle_old(result, pointer, bytes, position);
}
