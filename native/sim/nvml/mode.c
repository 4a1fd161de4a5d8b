/* Modes of a card, and its counts of memory errors. */
#include "library.h"

/* Cards that can be partitioned, by compute capability: 8.0, 9.0 and the data centre cards after them. */
static bool can_partition(const struct sim_card_config *card)
{
	return card->mig_mode || (card->compute_major == 8 && card->compute_minor == 0) ||
	       (card->compute_major >= 9 && card->compute_major != 12);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(current && pending);
	if (!can_partition(card))
		return NVML_ERROR_NOT_SUPPORTED;
	*current = *pending = (unsigned)card->mig_mode;
	return NVML_SUCCESS;
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
