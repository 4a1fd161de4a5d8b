/* Modes of a card, and its counts of memory errors. */
#include "library.h"

/* By compute capability: 8.0, 9.0 and the data centre cards after them. */
bool can_partition(const struct sim_card_config *card)
{
	return card->mig_mode || (card->compute_major == 8 && card->compute_minor == 0) ||
	       (card->compute_major >= 9 && card->compute_major != 12);
}

static void read_mode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
	sim_lock(library.machine.state);
	const struct sim_mig *mig = sim_mig_of(&library.machine, device->index);
	*current = mig->current;
	*pending = mig->pending;
	sim_unlock(library.machine.state);
}

bool is_partitioned(nvmlDevice_t device)
{
	unsigned current, pending;
	read_mode(device, &current, &pending);
	return current == NVML_DEVICE_MIG_ENABLE;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(current && pending && !device->mig);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	read_mode(device, current, pending);
	return NVML_SUCCESS;
}

static bool in_use(uint32_t card, const struct sim_mig *mig)
{
	struct sim_state *state = library.machine.state;
	sim_sweep(state);
	for (int i = 0; i < SIM_INSTANCES; i++)
		if (mig->instances[i].taken)
			return true;
	for (uint32_t i = 0; i < state->slots_used; i++)
		if (state->processes[i].taken && state->processes[i].contexts[card])
			return true;
	return false;
}

/* With the lock held. An A100 (8.0) changes its mode when it is reset, later cards at once. */
static nvmlReturn_t change_mode(const struct sim_card_config *card, uint32_t index, unsigned mode,
				nvmlReturn_t *activation)
{
	struct sim_mig *mig = sim_mig_of(&library.machine, index);
	if (mode != mig->current && in_use(index, mig))
		return NVML_ERROR_IN_USE;
	mig->pending = mode;
	if (card->compute_major >= 9)
		mig->current = mode;
	*activation = mig->current == mode ? NVML_SUCCESS : NVML_ERROR_RESET_REQUIRED;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t device, unsigned int mode, nvmlReturn_t *activation)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(activation && mode <= NVML_DEVICE_MIG_ENABLE && !device->mig);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	sim_lock(library.machine.state);
	nvmlReturn_t result = change_mode(card, device->index, mode, activation);
	sim_unlock(library.machine.state);
	return result;
}

/*
 * A simulated memory has no errors of its own; a card without error correction,
 * which is what a consumer's card is, does not count them.
 */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned int type, unsigned int counter,
						    unsigned long long *count)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(count && type <= 1 && counter <= 1);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	*count = 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected,
						  unsigned int *uncorrected, unsigned int *pending,
						  unsigned int *failure)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(corrected && uncorrected && pending && failure);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	*corrected = *uncorrected = *pending = *failure = 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(current && pending);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	*current = *pending = 1;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, unsigned int *mode)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(mode);
	*mode = 0; /* shared by any number of processes, as every simulated card is */
	return NVML_SUCCESS;
}
