/* Memory of a card.  The second version's word says which structure the caller has. */
#include "library.h"

static void measure(const struct sim_card_config *card, nvmlDevice_t device, uint64_t *free_bytes, uint64_t *used)
{
	*free_bytes = sim_memory_free(&library.machine, device->index);
	*used = card->memory_bytes - *free_bytes;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
	uint64_t free_bytes, used;
	NEED_CARD(card, device);
	NEED_ARGUMENT(memory);
	measure(card, device, &free_bytes, &used);
	*memory = (nvmlMemory_t){.total = card->memory_bytes, .free = free_bytes, .used = used};
	return NVML_SUCCESS;
}

/* No memory is reserved on a simulated card, so both versions agree about what is used. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
	uint64_t free_bytes, used;
	NEED_CARD(card, device);
	NEED_ARGUMENT(memory);
	if (memory->version != nvmlMemory_v2)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	measure(card, device, &free_bytes, &used);
	memory->total = card->memory_bytes;
	memory->reserved = 0;
	memory->free = free_bytes;
	memory->used = used;
	return NVML_SUCCESS;
}
