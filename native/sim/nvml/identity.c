/* Which devices there are, and what each one is. */
#include "library.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool mig_uuid(nvmlDevice_t device, char text[SIM_UUID_TEXT])
{
	struct sim_gpu_instance *instance;
	sim_lock(library.machine.state);
	const struct sim_compute_instance *compute = find_mig(device, &instance);
	if (compute)
		sim_uuid_text(compute->uuid, text);
	sim_unlock(library.machine.state);
	return compute != NULL;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(count);
	*count = library.machine.config.count;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetCount(unsigned int *count)
{
	return nvmlDeviceGetCount_v2(count);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(device && index < library.machine.config.count);
	*device = &library.cards[index];
	return library.machine.config.cards[index].health == SIM_LOST ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByIndex_v2(index, device);
}

static nvmlReturn_t find_mig_by_uuid(const char *uuid, nvmlDevice_t *device)
{
	for (uint32_t i = 0; i < library.machine.config.count * SIM_INSTANCES; i++) {
		char text[SIM_UUID_TEXT];
		*device = &library.migs[i / SIM_INSTANCES][i % SIM_INSTANCES];
		if (mig_uuid(*device, text) && strcasecmp(text, uuid) == 0)
			return NVML_SUCCESS;
	}
	return NVML_ERROR_NOT_FOUND;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(uuid && device);
	if (strncasecmp(uuid, "MIG-", 4) == 0)
		return find_mig_by_uuid(uuid, device);
	for (uint32_t i = 0; i < library.machine.config.count; i++)
		if (strcasecmp(library.machine.config.cards[i].uuid, uuid) == 0)
			return nvmlDeviceGetHandleByIndex_v2(i, device);
	return NVML_ERROR_NOT_FOUND;
}

static bool is_card(const struct sim_card_config *card, const nvmlUUID_t *uuid)
{
	if (uuid->type == NVML_UUID_TYPE_BINARY)
		return memcmp(card->uuid_bytes, uuid->value.bytes, sizeof card->uuid_bytes) == 0;
	return strncasecmp(card->uuid, uuid->value.str, sizeof uuid->value.str) == 0;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t *uuid, nvmlDevice_t *device)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(uuid && device);
	if (uuid->version != nvmlUUID_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	NEED_ARGUMENT(uuid->type == NVML_UUID_TYPE_ASCII || uuid->type == NVML_UUID_TYPE_BINARY);
	for (uint32_t i = 0; i < library.machine.config.count; i++)
		if (is_card(&library.machine.config.cards[i], uuid))
			return nvmlDeviceGetHandleByIndex_v2(i, device);
	return NVML_ERROR_NOT_FOUND;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *text, nvmlDevice_t *device)
{
	unsigned domain = 0, bus, place;
	NEED_LIBRARY();
	NEED_ARGUMENT(text && device);
	if (sscanf(text, "%x:%x:%x", &domain, &bus, &place) != 3) {
		domain = 0;
		NEED_ARGUMENT(sscanf(text, "%x:%x", &bus, &place) == 2);
	}
	for (uint32_t i = 0; i < library.machine.config.count; i++) {
		const struct sim_card_config *card = &library.machine.config.cards[i];
		if (card->pci_domain == domain && card->pci_bus == bus && card->pci_device == place)
			return nvmlDeviceGetHandleByIndex_v2(i, device);
	}
	return NVML_ERROR_NOT_FOUND;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *text, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByPciBusId_v2(text, device);
}

/* A MIG device is named after its card and its profile. */
static nvmlReturn_t mig_name(nvmlDevice_t device, const struct sim_card_config *card, char name[96])
{
	struct sim_gpu_instance *instance;
	char profile[64];
	sim_lock(library.machine.state);
	const struct sim_compute_instance *compute = find_mig(device, &instance);
	if (compute)
		sim_profile_name(card, &sim_layout_of(card)->profiles[instance->profile], compute->slices, profile);
	sim_unlock(library.machine.state);
	if (compute)
		snprintf(name, 96, "%.40s MIG %.40s", card->name, profile);
	return compute ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
	char of_mig[96];
	NEED_CARD(card, device);
	if (device->mig)
		return mig_name(device, card, of_mig) == NVML_SUCCESS ? copy_text(name, length, of_mig) : NVML_ERROR_NOT_FOUND;
	return copy_text(name, length, card->name);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
	char of_mig[SIM_UUID_TEXT];
	NEED_CARD(card, device);
	if (device->mig)
		return mig_uuid(device, of_mig) ? copy_text(uuid, length, of_mig) : NVML_ERROR_NOT_FOUND;
	return copy_text(uuid, length, card->uuid);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(index);
	*index = device->index;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(minor);
	*minor = (unsigned)card->minor;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(major && minor);
	*major = (int)card->compute_major;
	*minor = (int)card->compute_minor;
	return NVML_SUCCESS;
}

/* Cores of one multiprocessor, by compute capability. */
static unsigned cores_per_multiprocessor(const struct sim_card_config *card)
{
	return card->compute_major == 7 || (card->compute_major == 8 && card->compute_minor == 0) ? 64 : 128;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int *cores)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(cores);
	*cores = (unsigned)card->sm_count * cores_per_multiprocessor(card);
	return NVML_SUCCESS;
}
