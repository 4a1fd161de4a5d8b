/* nvmlInit and nvmlShutdown, versions, error texts. */
#include "library.h"

#include <stdio.h>
#include <string.h>

struct library library = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void number_handles(uint32_t card)
{
	library.cards[card].index = card;
	for (uint32_t i = 0; i < SIM_INSTANCES; i++) {
		library.migs[card][i] = (struct nvmlDevice_st){.index = card, .mig = i + 1};
		library.instances[card][i] = (struct nvmlGpuInstance_st){.card = card, .number = i};
		for (uint32_t compute = 0; compute < SIM_INSTANCES; compute++)
			library.computes[card][i][compute] =
				(struct nvmlComputeInstance_st){.card = card, .number = i, .compute = compute};
	}
}

static nvmlReturn_t open_machine(void)
{
	switch (sim_machine_open(&library.machine)) {
	case SIM_NO_MACHINE:
		return NVML_ERROR_DRIVER_NOT_LOADED;
	case SIM_BAD_MACHINE:
		return NVML_ERROR_UNKNOWN;
	case SIM_OPENED:
		break;
	}
	for (uint32_t card = 0; card < SIM_CARDS; card++)
		number_handles(card);
	library.opened = true;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
	nvmlReturn_t result = NVML_SUCCESS;
	(void)flags; /* both flags allow what is never the case here: no card, no right to attach */
	pthread_mutex_lock(&library.lock);
	if (!library.opened)
		result = open_machine();
	if (result == NVML_SUCCESS)
		library.uses++;
	pthread_mutex_unlock(&library.lock);
	return result;
}

SIM_EXPORT nvmlReturn_t nvmlInit_v2(void)
{
	return nvmlInitWithFlags(0);
}

SIM_EXPORT nvmlReturn_t nvmlInit(void)
{
	return nvmlInitWithFlags(0);
}

SIM_EXPORT nvmlReturn_t nvmlShutdown(void)
{
	nvmlReturn_t result = NVML_ERROR_UNINITIALIZED;
	pthread_mutex_lock(&library.lock);
	if (library.uses) {
		library.uses--;
		result = NVML_SUCCESS;
	}
	pthread_mutex_unlock(&library.lock);
	return result;
}

nvmlReturn_t library_ready(void)
{
	pthread_mutex_lock(&library.lock);
	bool ready = library.uses != 0;
	if (ready)
		sim_machine_refresh(&library.machine);
	pthread_mutex_unlock(&library.lock);
	return ready ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

struct sim_compute_instance *find_mig(const struct nvmlDevice_st *device, struct sim_gpu_instance **instance)
{
	struct sim_mig *mig = sim_mig_of(&library.machine, device->index);
	for (int i = 0; device->mig && i < SIM_INSTANCES * SIM_INSTANCES; i++) {
		struct sim_compute_instance *compute = &mig->instances[i / SIM_INSTANCES].compute[i % SIM_INSTANCES];
		*instance = &mig->instances[i / SIM_INSTANCES];
		if ((*instance)->taken && compute->taken && compute->device == device->mig - 1)
			return compute;
	}
	return NULL;
}

/* A handle of one that is gone is no handle. */
static bool is_mig_device(nvmlDevice_t device)
{
	struct sim_gpu_instance *instance;
	if (device < library.migs[0] || device >= library.migs[library.machine.config.count])
		return false;
	sim_lock(library.machine.state);
	bool found = find_mig(device, &instance) != NULL;
	sim_unlock(library.machine.state);
	return found;
}

nvmlReturn_t find_card(nvmlDevice_t device, const struct sim_card_config **card)
{
	NEED_LIBRARY();
	uint32_t count = library.machine.config.count;
	bool is_card = device >= library.cards && device < library.cards + count;
	NEED_ARGUMENT(is_card || is_mig_device(device));
	*card = &library.machine.config.cards[device->index];
	return NVML_SUCCESS;
}

nvmlReturn_t find_living_card(nvmlDevice_t device, const struct sim_card_config **card)
{
	nvmlReturn_t result = find_card(device, card);
	return result == NVML_SUCCESS && (*card)->health == SIM_LOST ? NVML_ERROR_GPU_IS_LOST : result;
}

nvmlReturn_t copy_text(char *out, unsigned length, const char *text)
{
	NEED_ARGUMENT(out);
	if (strlen(text) >= length)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	memcpy(out, text, strlen(text) + 1);
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
	NEED_LIBRARY();
	return copy_text(version, length, library.machine.config.driver_version);
}

/* The management library's version is its API's major version and the driver's. */
SIM_EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
	NEED_LIBRARY();
	char text[96];
	snprintf(text, sizeof text, "%d.%s", library.machine.config.cuda_version / 1000,
		 library.machine.config.driver_version);
	return copy_text(version, length, text);
}

SIM_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(version);
	*version = library.machine.config.cuda_version;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
	return nvmlSystemGetCudaDriverVersion(version);
}

/* Texts in our own words; programs compare codes. */
static const char *const error_texts[] = {
	[NVML_SUCCESS] = "Success",
	[NVML_ERROR_UNINITIALIZED] = "Not initialized",
	[NVML_ERROR_INVALID_ARGUMENT] = "Invalid argument",
	[NVML_ERROR_NOT_SUPPORTED] = "Not supported",
	[NVML_ERROR_NO_PERMISSION] = "No permission",
	[NVML_ERROR_ALREADY_INITIALIZED] = "Already initialized",
	[NVML_ERROR_NOT_FOUND] = "Not found",
	[NVML_ERROR_INSUFFICIENT_SIZE] = "Insufficient size",
	[NVML_ERROR_INSUFFICIENT_POWER] = "Insufficient power",
	[NVML_ERROR_DRIVER_NOT_LOADED] = "Driver not loaded",
	[NVML_ERROR_TIMEOUT] = "Timeout",
	[NVML_ERROR_IRQ_ISSUE] = "Interrupt issue",
	[NVML_ERROR_LIBRARY_NOT_FOUND] = "Library not found",
	[NVML_ERROR_FUNCTION_NOT_FOUND] = "Function not found",
	[NVML_ERROR_CORRUPTED_INFOROM] = "Corrupted infoROM",
	[NVML_ERROR_GPU_IS_LOST] = "GPU is lost",
	[NVML_ERROR_RESET_REQUIRED] = "Reset required",
	[NVML_ERROR_OPERATING_SYSTEM] = "Blocked by the operating system",
	[NVML_ERROR_LIB_RM_VERSION_MISMATCH] = "Library and driver versions differ",
	[NVML_ERROR_IN_USE] = "In use",
	[NVML_ERROR_MEMORY] = "Insufficient memory",
	[NVML_ERROR_NO_DATA] = "No data",
	[NVML_ERROR_INSUFFICIENT_RESOURCES] = "Insufficient resources",
	[NVML_ERROR_ARGUMENT_VERSION_MISMATCH] = "Argument version mismatch",
	[NVML_ERROR_DEPRECATED] = "Deprecated",
	[NVML_ERROR_NOT_READY] = "Not ready",
	[NVML_ERROR_GPU_NOT_FOUND] = "GPU not found",
	[NVML_ERROR_INVALID_STATE] = "Invalid state",
};

SIM_EXPORT const char *nvmlErrorString(nvmlReturn_t result)
{
	size_t count = sizeof error_texts / sizeof error_texts[0];
	return (size_t)result < count && error_texts[result] ? error_texts[result] : "Unknown error";
}
