/* What a program may know: the slice's memory where it asks for the device's. Outputs that the program leaves out are left out. */
#include "current.h"

/* A thread knows its device from its launches; without any it is asked for. */
static bool find_position(unsigned *position)
{
	struct hetero_region *region = slice_region();
	if (!region || !current_look_up(region))
		return slice_current_device(position);
	*position = current.position;
	return true;
}

CUresult hook_mem_get_info(CUresult (*real)(size_t *, size_t *), size_t *free_bytes, size_t *total)
{
	unsigned position;
	size_t card_free = 0, card_total = 0;
	CUresult result = real(&card_free, &card_total);
	if (result != CUDA_SUCCESS || !find_position(&position))
		return result;
	uint64_t seen_free = card_free, seen_total = card_total;
	slice_view(position, &seen_free, &seen_total);
	if (free_bytes)
		*free_bytes = (size_t)seen_free;
	if (total)
		*total = (size_t)seen_total;
	return CUDA_SUCCESS;
}

CUresult hook_device_total_mem(CUresult (*real)(size_t *, CUdevice), size_t *bytes, CUdevice device)
{
	CUresult result = real(bytes, device);
	if (result != CUDA_SUCCESS || !bytes)
		return result;
	*bytes = (size_t)slice_total(slice_device(device), *bytes);
	return CUDA_SUCCESS;
}

/*
 * The calls of CUDA 3.1 and before count in 32 bits, and tell the most that these can where there is more. The lesser of
 * that and the slice is the slice's, told in the same way.
 */
CUresult hook_mem_get_info_v1(CUresult (*real)(unsigned int *, unsigned int *), unsigned int *free_bytes,
			      unsigned int *total)
{
	unsigned position;
	unsigned int card_free = 0, card_total = 0;
	CUresult result = real(&card_free, &card_total);
	if (result != CUDA_SUCCESS || !find_position(&position))
		return result;
	uint64_t seen_free = card_free, seen_total = card_total;
	slice_view(position, &seen_free, &seen_total);
	if (free_bytes)
		*free_bytes = (unsigned int)seen_free;
	if (total)
		*total = (unsigned int)seen_total;
	return CUDA_SUCCESS;
}

CUresult hook_device_total_mem_v1(CUresult (*real)(unsigned int *, CUdevice), unsigned int *bytes, CUdevice device)
{
	CUresult result = real(bytes, device);
	if (result != CUDA_SUCCESS || !bytes)
		return result;
	*bytes = (unsigned int)slice_total(slice_device(device), *bytes);
	return CUDA_SUCCESS;
}
