/* Compute instances: the parts of a GPU instance that programs run on. */
#include <string.h>

#include "instance.h"

/* Profiles by number, which is also their id here: how many slices. */
static const uint32_t slices_of[] = {1, 2, 3, 4, 7};

#define NUMBERS (sizeof slices_of / sizeof slices_of[0])

struct sim_compute_instance *compute_instance(nvmlComputeInstance_t handle)
{
	const char *first = (const char *)library.computes[0];
	if ((const char *)handle < first || (const char *)handle >= (const char *)library.computes[library.machine.config.count])
		return NULL;
	struct sim_gpu_instance *instance = gpu_instance(&library.instances[handle->card][handle->number]);
	struct sim_compute_instance *found = instance ? &instance->compute[handle->compute] : NULL;
	return found && found->taken ? found : NULL;
}

static const struct sim_layout *layout_of(nvmlGpuInstance_t handle)
{
	return sim_layout_of(&library.machine.config.cards[handle->card]);
}

/* How many slices a profile has in this instance. */
static nvmlReturn_t slices(nvmlGpuInstance_t handle, unsigned number, uint32_t *out)
{
	const struct sim_gpu_instance *instance = gpu_instance(handle);
	NEED_ARGUMENT(instance && number < NVML_COMPUTE_INSTANCE_PROFILE_COUNT);
	if (number >= NUMBERS || slices_of[number] > layout_of(handle)->profiles[instance->profile].slices)
		return NVML_ERROR_NOT_SUPPORTED;
	*out = slices_of[number];
	return NVML_SUCCESS;
}

#define NEED_SLICES(name, handle, number)                                        \
	uint32_t name;                                                           \
	do {                                                                     \
		nvmlReturn_t slices_result = slices(handle, number, &name);      \
		if (slices_result != NVML_SUCCESS)                               \
			return slices_result;                                    \
	} while (0)

static nvmlReturn_t describe(nvmlGpuInstance_t handle, unsigned number, nvmlComputeInstanceProfileInfo_t *info)
{
	NEED_SLICES(wanted, handle, number);
	NEED_ARGUMENT(info);
	const struct sim_profile *profile = &layout_of(handle)->profiles[gpu_instance(handle)->profile];
	uint32_t all = sim_profile_multiprocessors(&library.machine.config.cards[handle->card], profile);
	*info = (nvmlComputeInstanceProfileInfo_t){.id = number,
						   .sliceCount = wanted,
						   .instanceCount = profile->slices / wanted,
						   .multiprocessorCount = all * wanted / profile->slices,
						   .sharedCopyEngineCount = profile->slices,
						   .sharedDecoderCount = profile->slices,
						   .sharedJpegCount = profile->slices,
						   .sharedOfaCount = profile->media};
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(nvmlGpuInstance_t instance, unsigned int profile,
								     unsigned int engine,
								     nvmlComputeInstanceProfileInfo_t *info)
{
	NEED_ARGUMENT(engine == NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED);
	LOCKED(describe(instance, profile, info));
}

static nvmlReturn_t placements_of(nvmlGpuInstance_t handle, unsigned number, nvmlComputeInstancePlacement_t *out,
				  unsigned *count)
{
	NEED_SLICES(wanted, handle, number);
	NEED_ARGUMENT(count);
	uint32_t all = layout_of(handle)->profiles[gpu_instance(handle)->profile].slices, room = *count;
	*count = all / wanted;
	for (uint32_t i = 0; out && i < *count && i < room; i++)
		out[i] = (nvmlComputeInstancePlacement_t){.start = i * wanted, .size = wanted};
	return out && *count > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstancePossiblePlacements(nvmlGpuInstance_t instance, unsigned int profile,
									    nvmlComputeInstancePlacement_t *placements,
									    unsigned int *count)
{
	LOCKED(placements_of(instance, profile, placements, count));
}

static nvmlReturn_t remaining(nvmlGpuInstance_t handle, unsigned number, unsigned *count)
{
	NEED_SLICES(wanted, handle, number);
	NEED_ARGUMENT(count);
	uint32_t all = layout_of(handle)->profiles[gpu_instance(handle)->profile].slices;
	struct sim_gpu_instance tried = *gpu_instance(handle);
	for (*count = 0; sim_compute_room(layout_of(handle), &tried, wanted) < all; ++*count)
		for (int i = 0; i < SIM_INSTANCES; i++)
			if (!tried.compute[i].taken) {
				tried.compute[i] = (struct sim_compute_instance){
					.taken = 1, .slices = wanted, .start = sim_compute_room(layout_of(handle), &tried, wanted)};
				break;
			}
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceRemainingCapacity(nvmlGpuInstance_t instance, unsigned int profile,
									   unsigned int *count)
{
	LOCKED(remaining(instance, profile, count));
}

static nvmlReturn_t make(nvmlGpuInstance_t handle, unsigned number, const nvmlComputeInstancePlacement_t *placement,
			 nvmlComputeInstance_t *out)
{
	NEED_SLICES(wanted, handle, number);
	struct sim_gpu_instance *instance = gpu_instance(handle);
	uint32_t all = layout_of(handle)->profiles[instance->profile].slices;
	NEED_ARGUMENT(out && (!placement || (placement->size == wanted && placement->start + wanted <= all)));
	uint32_t start = placement ? placement->start : sim_compute_room(layout_of(handle), instance, wanted);
	struct sim_compute_instance *made =
		start < all ? sim_compute_make(&library.machine, handle->card, instance, wanted, start) : NULL;
	if (!made)
		return NVML_ERROR_INSUFFICIENT_RESOURCES;
	*out = &library.computes[handle->card][handle->number][made - instance->compute];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceCreateComputeInstance(nvmlGpuInstance_t instance, unsigned int profile,
							     nvmlComputeInstance_t *compute)
{
	LOCKED(make(instance, profile, NULL, compute));
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceCreateComputeInstanceWithPlacement(nvmlGpuInstance_t instance, unsigned int profile,
									  const nvmlComputeInstancePlacement_t *placement,
									  nvmlComputeInstance_t *compute)
{
	NEED_ARGUMENT(placement);
	LOCKED(make(instance, profile, placement, compute));
}

static nvmlReturn_t list(nvmlGpuInstance_t handle, unsigned number, nvmlComputeInstance_t *out, unsigned *count)
{
	NEED_SLICES(wanted, handle, number);
	NEED_ARGUMENT(out && count);
	const struct sim_gpu_instance *instance = gpu_instance(handle);
	*count = 0;
	for (uint32_t i = 0; i < SIM_INSTANCES; i++)
		if (instance->compute[i].taken && instance->compute[i].slices == wanted)
			out[(*count)++] = &library.computes[handle->card][handle->number][i];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t instance, unsigned int profile,
							   nvmlComputeInstance_t *computes, unsigned int *count)
{
	LOCKED(list(instance, profile, computes, count));
}

static nvmlReturn_t by_id(nvmlGpuInstance_t handle, unsigned id, nvmlComputeInstance_t *out)
{
	const struct sim_gpu_instance *instance = gpu_instance(handle);
	NEED_ARGUMENT(instance && out);
	if (id >= SIM_INSTANCES || !instance->compute[id].taken)
		return NVML_ERROR_NOT_FOUND;
	*out = &library.computes[handle->card][handle->number][id];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(nvmlGpuInstance_t instance, unsigned int id,
							      nvmlComputeInstance_t *compute)
{
	LOCKED(by_id(instance, id, compute));
}

static nvmlReturn_t tell(nvmlComputeInstance_t handle, nvmlComputeInstanceInfo_t *info)
{
	const struct sim_compute_instance *compute = compute_instance(handle);
	NEED_ARGUMENT(compute && info);
	unsigned number = 0;
	while (slices_of[number] != compute->slices)
		number++;
	*info = (nvmlComputeInstanceInfo_t){.device = &library.cards[handle->card],
					    .gpuInstance = &library.instances[handle->card][handle->number],
					    .id = handle->compute,
					    .profileId = number,
					    .placement = {.start = compute->start, .size = compute->slices}};
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t compute, nvmlComputeInstanceInfo_t *info)
{
	LOCKED(tell(compute, info));
}

static nvmlReturn_t destroy(nvmlComputeInstance_t handle)
{
	struct sim_compute_instance *compute = compute_instance(handle);
	NEED_ARGUMENT(compute);
	sim_sweep(library.machine.state);
	if (sim_compute_used(&library.machine, compute))
		return NVML_ERROR_IN_USE;
	compute->taken = 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlComputeInstanceDestroy(nvmlComputeInstance_t compute)
{
	LOCKED(destroy(compute));
}
