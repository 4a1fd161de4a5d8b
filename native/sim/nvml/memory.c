/* Memory of a card, or of a MIG device.  The second version's word says which structure the caller has. */
#include "library.h"

/* With the lock held. What is used of an instance is used of its card. */
static uint64_t used_by(uint32_t card, const struct sim_compute_instance *only)
{
	const struct sim_state *state = library.machine.state;
	const struct sim_mig *mig = &state->cards[card].mig;
	uint64_t used = only ? 0 : state->cards[card].memory_used;
	for (int i = 0; i < SIM_INSTANCES * SIM_INSTANCES; i++) {
		const struct sim_compute_instance *compute = &mig->instances[i / SIM_INSTANCES].compute[i % SIM_INSTANCES];
		if (compute->taken && compute->place && (!only || only == compute))
			used += state->cards[compute->place].memory_used;
	}
	return used;
}

static uint64_t measure(const struct sim_card_config *card, nvmlDevice_t device, uint64_t *free_bytes, uint64_t *used)
{
	struct sim_gpu_instance *instance;
	uint64_t total = card->memory_bytes;
	sim_lock(library.machine.state);
	sim_sweep(library.machine.state);
	const struct sim_compute_instance *compute = find_mig(device, &instance);
	if (compute)
		total = sim_profile_memory(card, &sim_layout_of(card)->profiles[instance->profile]) * SIM_MIB;
	*used = used_by(device->index, compute);
	sim_unlock(library.machine.state);
	*free_bytes = total > *used ? total - *used : 0;
	return total;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
	uint64_t free_bytes, used;
	NEED_CARD(card, device);
	NEED_ARGUMENT(memory);
	uint64_t total = measure(card, device, &free_bytes, &used);
	*memory = (nvmlMemory_t){.total = total, .free = free_bytes, .used = used};
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
	memory->total = measure(card, device, &free_bytes, &used);
	memory->reserved = 0;
	memory->free = free_bytes;
	memory->used = used;
	return NVML_SUCCESS;
}
