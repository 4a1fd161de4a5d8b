/* MIG devices: compute instances as devices with an identity of their own. */
#include "instance.h"

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(count && !device->mig);
	*count = can_partition(card) && is_partitioned(device) ? sim_layout_of(card)->slices : 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
	struct sim_gpu_instance *instance;
	NEED_CARD(card, device);
	NEED_ARGUMENT(mig && !device->mig && index < sim_layout_of(card)->slices);
	if (!can_partition(card) || !is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	*mig = &library.migs[device->index][index];
	LOCKED(find_mig(*mig, &instance) ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t *device)
{
	NEED_CARD(card, mig);
	(void)card;
	NEED_ARGUMENT(device && mig->mig);
	*device = &library.cards[mig->index];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is_mig)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(is_mig);
	*is_mig = device->mig != 0;
	return NVML_SUCCESS;
}

static nvmlReturn_t ids(nvmlDevice_t device, unsigned *gpu, unsigned *compute)
{
	struct sim_gpu_instance *instance;
	const struct sim_compute_instance *found = find_mig(device, &instance);
	NEED_ARGUMENT(found);
	*gpu = instance->id;
	*compute = (unsigned)(found - instance->compute);
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
	unsigned compute;
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(id && device->mig);
	LOCKED(ids(device, id, &compute));
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
	unsigned gpu;
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(id && device->mig);
	LOCKED(ids(device, &gpu, id));
}

static nvmlReturn_t describe(nvmlDevice_t device, const struct sim_card_config *card, nvmlDeviceAttributes_t *attributes)
{
	struct sim_gpu_instance *instance;
	const struct sim_compute_instance *compute = find_mig(device, &instance);
	NEED_ARGUMENT(compute && attributes);
	const struct sim_profile *profile = &sim_layout_of(card)->profiles[instance->profile];
	*attributes = (nvmlDeviceAttributes_t){
		.multiprocessorCount = sim_profile_multiprocessors(card, profile) * compute->slices / profile->slices,
		.sharedCopyEngineCount = profile->slices,
		.sharedDecoderCount = profile->slices,
		.sharedJpegCount = profile->slices,
		.sharedOfaCount = profile->media,
		.gpuInstanceSliceCount = profile->slices,
		.computeInstanceSliceCount = compute->slices,
		.memorySizeMB = sim_profile_memory(card, profile)};
	return NVML_SUCCESS;
}

/* Of MIG devices only. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
	NEED_CARD(card, device);
	if (!device->mig)
		return NVML_ERROR_NOT_SUPPORTED;
	LOCKED(describe(device, card, attributes));
}
