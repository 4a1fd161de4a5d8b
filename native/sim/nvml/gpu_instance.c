/* GPU instances: making, listing and destroying them. */
#include "instance.h"

static bool within(const void *handle, const void *first, const void *end)
{
	return (const char *)handle >= (const char *)first && (const char *)handle < (const char *)end;
}

struct sim_gpu_instance *gpu_instance(nvmlGpuInstance_t handle)
{
	if (!within(handle, library.instances[0], library.instances[library.machine.config.count]))
		return NULL;
	struct sim_gpu_instance *found = &sim_mig_of(&library.machine, handle->card)->instances[handle->number];
	return found->taken ? found : NULL;
}

/* A card whose instances can be asked about; and, for what has a profile, the profile. */
static nvmlReturn_t partitioned(nvmlDevice_t device, unsigned id, const struct sim_profile **profile)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(!device->mig);
	if (!is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	*profile = profile_by_id(card, id);
	return *profile ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

static nvmlReturn_t make(nvmlDevice_t device, const struct sim_profile *profile, uint32_t start, nvmlGpuInstance_t *out)
{
	const struct sim_layout *layout = sim_layout_of(&library.machine.config.cards[device->index]);
	struct sim_mig *mig = sim_mig_of(&library.machine, device->index);
	struct sim_gpu_instance *made = sim_mig_make(layout, mig, profile, start);
	if (!made)
		return NVML_ERROR_INSUFFICIENT_RESOURCES;
	*out = &library.instances[device->index][made - mig->instances];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstance(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *instance)
{
	const struct sim_profile *profile;
	nvmlReturn_t result = partitioned(device, id, &profile);
	if (result != NVML_SUCCESS)
		return result;
	NEED_ARGUMENT(instance);
	LOCKED(make(device, profile, UINT32_MAX, instance));
}

SIM_EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstanceWithPlacement(nvmlDevice_t device, unsigned int id,
								 const nvmlGpuInstancePlacement_t *placement,
								 nvmlGpuInstance_t *instance)
{
	static const struct sim_mig empty;
	const struct sim_profile *profile;
	nvmlReturn_t result = partitioned(device, id, &profile);
	if (result != NVML_SUCCESS)
		return result;
	const struct sim_layout *layout = sim_layout_of(&library.machine.config.cards[device->index]);
	NEED_ARGUMENT(instance && placement && placement->size == profile->places);
	NEED_ARGUMENT(sim_mig_fits(layout, &empty, profile, placement->start));
	LOCKED(make(device, profile, placement->start, instance));
}

static nvmlReturn_t list(nvmlDevice_t device, const struct sim_profile *profile, nvmlGpuInstance_t *out, unsigned *count)
{
	const struct sim_layout *layout = sim_layout_of(&library.machine.config.cards[device->index]);
	const struct sim_mig *mig = sim_mig_of(&library.machine, device->index);
	*count = 0;
	for (uint32_t i = 0; i < SIM_INSTANCES; i++)
		if (mig->instances[i].taken && &layout->profiles[mig->instances[i].profile] == profile)
			out[(*count)++] = &library.instances[device->index][i];
	return NVML_SUCCESS;
}

/* The array must have room for as many as the profile allows. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *instances,
						  unsigned int *count)
{
	const struct sim_profile *profile;
	nvmlReturn_t result = partitioned(device, id, &profile);
	if (result != NVML_SUCCESS)
		return result;
	NEED_ARGUMENT(instances && count);
	LOCKED(list(device, profile, instances, count));
}

static nvmlReturn_t by_id(nvmlDevice_t device, unsigned id, nvmlGpuInstance_t *out)
{
	const struct sim_mig *mig = sim_mig_of(&library.machine, device->index);
	for (uint32_t i = 0; i < SIM_INSTANCES; i++)
		if (mig->instances[i].taken && mig->instances[i].id == id) {
			*out = &library.instances[device->index][i];
			return NVML_SUCCESS;
		}
	return NVML_ERROR_NOT_FOUND;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *instance)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(instance && !device->mig);
	if (!is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	LOCKED(by_id(device, id, instance));
}

static nvmlReturn_t describe(nvmlGpuInstance_t handle, nvmlGpuInstanceInfo_t *info)
{
	const struct sim_gpu_instance *instance = gpu_instance(handle);
	NEED_ARGUMENT(instance && info);
	const struct sim_layout *layout = sim_layout_of(&library.machine.config.cards[handle->card]);
	const struct sim_profile *profile = &layout->profiles[instance->profile];
	*info = (nvmlGpuInstanceInfo_t){.device = &library.cards[handle->card],
					.id = instance->id,
					.profileId = profile->id,
					.placement = {.start = instance->start, .size = profile->places}};
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t instance, nvmlGpuInstanceInfo_t *info)
{
	LOCKED(describe(instance, info));
}

static nvmlReturn_t destroy(nvmlGpuInstance_t handle)
{
	struct sim_gpu_instance *instance = gpu_instance(handle);
	NEED_ARGUMENT(instance);
	for (int i = 0; i < SIM_INSTANCES; i++)
		if (instance->compute[i].taken)
			return NVML_ERROR_IN_USE;
	instance->taken = 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceDestroy(nvmlGpuInstance_t instance)
{
	LOCKED(destroy(instance));
}
