/* Which instances a card can be cut into: profiles, placements, what is left. */
#include "library.h"

#include <stdio.h>
#include <string.h>

#include "instance.h"

const struct sim_profile *profile_by_id(const struct sim_card_config *card, unsigned id)
{
	const struct sim_layout *layout = sim_layout_of(card);
	for (uint32_t i = 0; i < layout->count; i++)
		if (layout->profiles[i].id == id)
			return &layout->profiles[i];
	return NULL;
}

/* What is asked by the enumeration's number. Drivers of 2025 know all numbers but the last. */
static nvmlReturn_t profile_by_number(const struct sim_card_config *card, unsigned number, const struct sim_profile **out)
{
	const struct sim_layout *layout = sim_layout_of(card);
	NEED_ARGUMENT(number < NVML_GPU_INSTANCE_PROFILE_COUNT - 1);
	for (uint32_t i = 0; i < layout->count; i++)
		if (can_partition(card) && layout->profiles[i].number == number) {
			*out = &layout->profiles[i];
			return NVML_SUCCESS;
		}
	return NVML_ERROR_NOT_SUPPORTED;
}

/* Engines go with the slices, as an H100 has them; the whole card has one engine for copies more. */
static void describe(const struct sim_card_config *card, const struct sim_profile *profile,
		     nvmlGpuInstanceProfileInfo_v2_t *info)
{
	char name[64];
	sim_profile_name(card, profile, profile->slices, name);
	*info = (nvmlGpuInstanceProfileInfo_v2_t){
		.version = info->version,
		.id = profile->id,
		.sliceCount = profile->slices,
		.instanceCount = profile->most,
		.multiprocessorCount = sim_profile_multiprocessors(card, profile),
		.copyEngineCount = profile->slices + (profile->slices == 7),
		.decoderCount = profile->slices,
		.jpegCount = profile->slices,
		.ofaCount = profile->media,
		.memorySizeMB = sim_profile_memory(card, profile),
	};
	snprintf(info->name, sizeof info->name, "MIG %s", name);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned int number,
							    nvmlGpuInstanceProfileInfo_t *info)
{
	const struct sim_profile *profile;
	nvmlGpuInstanceProfileInfo_v2_t full = {0};
	NEED_CARD(card, device);
	NEED_ARGUMENT(info);
	nvmlReturn_t result = profile_by_number(card, number, &profile);
	if (result != NVML_SUCCESS)
		return result;
	describe(card, profile, &full);
	memcpy(info, &full.id, offsetof(nvmlGpuInstanceProfileInfo_t, memorySizeMB));
	info->memorySizeMB = full.memorySizeMB;
	return NVML_SUCCESS;
}

/* Version 3 is version 2 without its third member, and with one more at the end. */
static void shorten(const nvmlGpuInstanceProfileInfo_v2_t *full, nvmlGpuInstanceProfileInfo_v3_t *info)
{
	info->id = full->id;
	memcpy(&info->sliceCount, &full->sliceCount,
	       offsetof(nvmlGpuInstanceProfileInfo_v3_t, ofaCount) + sizeof info->ofaCount -
		       offsetof(nvmlGpuInstanceProfileInfo_v3_t, sliceCount));
	info->memorySizeMB = full->memorySizeMB;
	memcpy(info->name, full->name, sizeof info->name);
	info->capabilities = 0;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned int number,
							     nvmlGpuInstanceProfileInfo_v2_t *info)
{
	const struct sim_profile *profile;
	nvmlGpuInstanceProfileInfo_v2_t full = {0};
	NEED_CARD(card, device);
	NEED_ARGUMENT(info);
	if (info->version != nvmlGpuInstanceProfileInfo_v2 && info->version != nvmlGpuInstanceProfileInfo_v3)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	nvmlReturn_t result = profile_by_number(card, number, &profile);
	if (result != NVML_SUCCESS)
		return result;
	full.version = info->version;
	describe(card, profile, &full);
	if (info->version == nvmlGpuInstanceProfileInfo_v3)
		shorten(&full, (nvmlGpuInstanceProfileInfo_v3_t *)info);
	else
		*info = full;
	return NVML_SUCCESS;
}

/* With room for none, or no array, it tells how many there are. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(nvmlDevice_t device, unsigned int id,
								      nvmlGpuInstancePlacement_t *placements,
								      unsigned int *count)
{
	static const struct sim_mig empty;
	NEED_CARD(card, device);
	NEED_ARGUMENT(count);
	const struct sim_profile *profile = can_partition(card) ? profile_by_id(card, id) : NULL;
	if (!profile)
		return NVML_ERROR_NOT_SUPPORTED;
	const struct sim_layout *layout = sim_layout_of(card);
	unsigned number = 0, room = *count;
	for (uint32_t start = 0; start < layout->places; start++) {
		if (!sim_mig_fits(layout, &empty, profile, start))
			continue;
		if (placements && number < room)
			placements[number] = (nvmlGpuInstancePlacement_t){.start = start, .size = profile->places};
		number++;
	}
	*count = number;
	return placements && number > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

/* As many as could be made one after another, each as far up as possible. */
static unsigned remaining(const struct sim_card_config *card, const struct sim_mig *now, const struct sim_profile *profile)
{
	struct sim_mig tried = *now;
	unsigned count = 0;
	while (sim_mig_make(sim_layout_of(card), &tried, profile, UINT32_MAX))
		count++;
	return count;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceRemainingCapacity(nvmlDevice_t device, unsigned int id, unsigned int *count)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(count);
	const struct sim_profile *profile = profile_by_id(card, id);
	if (!profile || !is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	sim_lock(library.machine.state);
	*count = remaining(card, sim_mig_of(&library.machine, device->index), profile);
	sim_unlock(library.machine.state);
	return NVML_SUCCESS;
}
