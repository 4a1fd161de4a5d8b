/* NVML's memory queries, which nvidia-smi and frameworks ask: the slice's truth here too. */
#include "shim.h"

/* NVML lists the whole machine: a card that is no part of the slice is shown as it is. */
static bool view(nvmlDevice_t device, uint64_t *free_bytes, uint64_t *total)
{
	unsigned position = slice_device_by_handle(device);
	if (position >= HETERO_DEVICES)
		return false;
	slice_view(position, free_bytes, total);
	return true;
}

nvmlReturn_t hook_nvml_memory_info(nvmlReturn_t (*real)(nvmlDevice_t, nvmlMemory_t *), nvmlDevice_t device,
				   nvmlMemory_t *memory)
{
	nvmlReturn_t result = real(device, memory);
	if (result != NVML_SUCCESS)
		return result;
	uint64_t free_bytes = memory->free, total = memory->total;
	if (view(device, &free_bytes, &total))
		*memory = (nvmlMemory_t){.total = total, .free = free_bytes, .used = total - free_bytes};
	return NVML_SUCCESS;
}

nvmlReturn_t hook_nvml_memory_info_v2(nvmlReturn_t (*real)(nvmlDevice_t, nvmlMemory_v2_t *), nvmlDevice_t device,
				      nvmlMemory_v2_t *memory)
{
	nvmlReturn_t result = real(device, memory);
	if (result != NVML_SUCCESS)
		return result;
	uint64_t free_bytes = memory->free, total = memory->total;
	if (!view(device, &free_bytes, &total))
		return NVML_SUCCESS;
	/* What the driver reserves of the card is nobody's slice. */
	memory->reserved = total < memory->total ? 0 : memory->reserved;
	memory->total = total;
	memory->free = free_bytes;
	memory->used = total - memory->reserved > free_bytes ? total - memory->reserved - free_bytes : 0;
	return NVML_SUCCESS;
}
