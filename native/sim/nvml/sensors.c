/* Temperature, power, and what a card says is to be done about it. */
#include "library.h"

SIM_EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *celsius)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(celsius && sensor == 0); /* of the chip */
	*celsius = (unsigned)card->temperature;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *milliwatts)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(milliwatts);
	*milliwatts = (unsigned)card->power * 1000;
	return NVML_SUCCESS;
}

/* A card with a critical error wants to be reset. Each field has its own result; of the others none is known. */
static void answer(const struct sim_card_config *card, nvmlFieldValue_t *field)
{
	field->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
	if (field->fieldId != NVML_FI_DEV_GET_GPU_RECOVERY_ACTION)
		return;
	field->nvmlReturn = NVML_SUCCESS;
	field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
	field->value.uiVal = card->health == SIM_XID ? NVML_GPU_RECOVERY_ACTION_GPU_RESET : NVML_GPU_RECOVERY_ACTION_NONE;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(values && count > 0);
	for (int i = 0; i < count; i++)
		answer(card, &values[i]);
	return NVML_SUCCESS;
}
