/* MIG: the instances of a card, as the management library makes them and programs find them. */
#include "check.h"

#include "../machine/config.h"

#define A100                                                                                       \
	CARD_A "memory_mib = 40960\nmig_mode = 1\ncompute_minor = 0\nsm_count = 108\n"           \
	       "mig_memory = 4864, 9856, 20096, 40192\n"
#define H100                                                                                       \
	CARD_B "memory_mib = 81559\ncompute_major = 9\ncompute_minor = 0\nsm_count = 132\n"      \
	       "mig_memory = 9984,20096,40448,81152\n"

static nvmlDevice_t card(unsigned index)
{
	nvmlDevice_t device;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(index, &device));
	return device;
}

static nvmlGpuInstance_t make(nvmlDevice_t device, unsigned profile, unsigned start, unsigned size)
{
	nvmlGpuInstance_t made;
	OK(nvmlDeviceCreateGpuInstanceWithPlacement(device, profile, &(nvmlGpuInstancePlacement_t){start, size}, &made));
	return made;
}

static nvmlReturn_t refused(nvmlDevice_t device, unsigned profile, unsigned start, unsigned size)
{
	nvmlGpuInstance_t made;
	return nvmlDeviceCreateGpuInstanceWithPlacement(device, profile, &(nvmlGpuInstancePlacement_t){start, size}, &made);
}

static void destroy_all(nvmlDevice_t device)
{
	static const unsigned profiles[] = {19, 20, 15, 14, 9, 5, 0};
	nvmlGpuInstance_t found[7];
	nvmlComputeInstance_t inside[7];
	for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
		unsigned count = 7;
		OK(nvmlDeviceGetGpuInstances(device, profiles[i], found, &count));
		for (unsigned j = 0; j < count; j++) {
			for (unsigned number = 0; number < 5; number++) {
				unsigned parts = 7;
				if (nvmlGpuInstanceGetComputeInstances(found[j], number, inside, &parts) != NVML_SUCCESS)
					continue;
				while (parts)
					OK(nvmlComputeInstanceDestroy(inside[--parts]));
			}
			OK(nvmlGpuInstanceDestroy(found[j]));
		}
	}
}

/* Number of a profile to its id, slices, most, starts and size: as drivers of cards with seven slices tell them. */
static const struct {
	unsigned number, id, slices, most, count, first, second, size;
	const char *name;
} profiles[] = {
	{0, 19, 1, 7, 7, 0, 1, 1, "MIG 1g.10gb"}, {1, 14, 2, 3, 3, 0, 2, 2, "MIG 2g.20gb"},
	{2, 9, 3, 2, 2, 0, 4, 4, "MIG 3g.40gb"},  {3, 5, 4, 1, 1, 0, 0, 4, "MIG 4g.40gb"},
	{4, 0, 7, 1, 1, 0, 0, 8, "MIG 7g.80gb"},  {7, 20, 1, 1, 7, 0, 1, 1, "MIG 1g.10gb+me"},
	{9, 15, 1, 4, 4, 0, 2, 2, "MIG 1g.20gb"},
};

static void a_profile_has_a_number_and_an_id(void)
{
	nvmlDevice_t device = card(1);
	for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
		nvmlGpuInstanceProfileInfo_t info;
		nvmlGpuInstanceProfileInfo_v2_t second = {.version = nvmlGpuInstanceProfileInfo_v2};
		nvmlGpuInstanceProfileInfo_v3_t third = {.version = nvmlGpuInstanceProfileInfo_v3};
		nvmlGpuInstancePlacement_t placements[8] = {{0}};
		unsigned count = 8;
		OK(nvmlDeviceGetGpuInstanceProfileInfo(device, profiles[i].number, &info));
		EXPECT(profiles[i].id, info.id);
		EXPECT(profiles[i].slices, info.sliceCount);
		EXPECT(profiles[i].most, info.instanceCount);
		OK(nvmlDeviceGetGpuInstanceProfileInfoV(device, profiles[i].number, &second));
		EXPECT(info.memorySizeMB, second.memorySizeMB);
		EXPECT_TEXT(profiles[i].name, second.name);
		OK(nvmlDeviceGetGpuInstanceProfileInfoV(device, profiles[i].number, (nvmlGpuInstanceProfileInfo_v2_t *)&third));
		EXPECT(info.multiprocessorCount, third.multiprocessorCount);
		EXPECT(info.ofaCount, third.ofaCount);
		EXPECT(info.memorySizeMB, third.memorySizeMB);
		EXPECT_TEXT(profiles[i].name, third.name);
		OK(nvmlDeviceGetGpuInstancePossiblePlacements_v2(device, info.id, placements, &count));
		EXPECT(profiles[i].count, count);
		EXPECT(profiles[i].first, placements[0].start);
		EXPECT(profiles[i].second, placements[count > 1].start);
		EXPECT(profiles[i].size, placements[0].size);
		OK(nvmlDeviceGetGpuInstancePossiblePlacements_v2(device, info.id, NULL, &count));
		EXPECT(profiles[i].count, count);
	}
}

static void unknown_profiles_and_versions_are_told_apart(void)
{
	nvmlDevice_t device = card(1);
	nvmlGpuInstanceProfileInfo_t info;
	nvmlGpuInstanceProfileInfo_v2_t wrong = {.version = 1};
	unsigned count = 0;
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlDeviceGetGpuInstanceProfileInfo(device, 5, &info));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetGpuInstanceProfileInfo(device, 18, &info));
	EXPECT(NVML_ERROR_ARGUMENT_VERSION_MISMATCH, nvmlDeviceGetGpuInstanceProfileInfoV(device, 0, &wrong));
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlDeviceGetGpuInstancePossiblePlacements_v2(device, 1, NULL, &count));
}

static void instances_do_not_overlap(void)
{
	nvmlDevice_t device = card(0);
	nvmlGpuInstanceInfo_t info;
	unsigned count;
	nvmlGpuInstance_t upper = make(device, 9, 4, 4);
	OK(nvmlGpuInstanceGetInfo(upper, &info));
	EXPECT(4, info.placement.start);
	EXPECT(4, info.placement.size);
	EXPECT(9, info.profileId);
	EXPECT(true, info.id > 0 && info.device == device);
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, refused(device, 19, 6, 1));
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, refused(device, 0, 0, 8));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, refused(device, 14, 1, 2));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, refused(device, 14, 0, 3));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, refused(device, 19, 7, 1));
	EXPECT(NVML_ERROR_NOT_SUPPORTED, refused(device, 3, 0, 1));
	OK(nvmlDeviceGetGpuInstanceRemainingCapacity(device, 19, &count));
	EXPECT(4, count);
	OK(nvmlDeviceGetGpuInstanceRemainingCapacity(device, 14, &count));
	EXPECT(2, count);
	make(device, 20, 0, 1);
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, refused(device, 20, 1, 1)); /* the card has one of these */
	OK(nvmlDeviceGetGpuInstanceById(device, info.id, &upper));
	OK(nvmlGpuInstanceDestroy(upper));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlGpuInstanceDestroy(upper));
	EXPECT(NVML_ERROR_NOT_FOUND, nvmlDeviceGetGpuInstanceById(device, info.id, &upper));
	make(device, 14, 4, 2);
	destroy_all(device);
}

static void a_card_is_filled_to_the_last_slice(void)
{
	nvmlDevice_t device = card(0);
	nvmlGpuInstance_t made;
	for (int i = 0; i < 7; i++)
		OK(nvmlDeviceCreateGpuInstance(device, 19, &made));
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, nvmlDeviceCreateGpuInstance(device, 19, &made));
	destroy_all(device);
}

static void uuid_of(nvmlDevice_t mig, char text[96])
{
	OK(nvmlDeviceGetUUID(mig, text, 96));
	EXPECT(0, strncmp(text, "MIG-", 4));
	EXPECT(40, strlen(text));
}

static void a_compute_instance_is_a_device(void)
{
	nvmlDevice_t device = card(0), mig, parent, found;
	nvmlComputeInstance_t compute;
	nvmlComputeInstanceInfo_t info;
	nvmlDeviceAttributes_t attributes;
	nvmlMemory_t memory;
	char first[96], again[96], name[96];
	unsigned number;
	OK(nvmlDeviceGetMaxMigDeviceCount(device, &number));
	EXPECT(7, number);
	EXPECT(NVML_ERROR_NOT_FOUND, nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig));
	nvmlGpuInstance_t instance = make(device, 14, 2, 2);
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlGpuInstanceCreateComputeInstance(instance, 2, &compute));
	OK(nvmlGpuInstanceCreateComputeInstance(instance, 1, &compute));
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, nvmlGpuInstanceCreateComputeInstance(instance, 0, &compute));
	EXPECT(NVML_ERROR_IN_USE, nvmlGpuInstanceDestroy(instance));
	OK(nvmlComputeInstanceGetInfo_v2(compute, &info));
	EXPECT(2, info.placement.size);
	OK(nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig));
	uuid_of(mig, first);
	OK(nvmlDeviceGetHandleByUUID(first, &found));
	EXPECT(true, found == mig);
	OK(nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig, &parent));
	EXPECT(true, parent == device);
	OK(nvmlDeviceIsMigDeviceHandle(mig, &number));
	EXPECT(1, number);
	OK(nvmlDeviceGetName(mig, name, sizeof name));
	EXPECT_TEXT("Card A MIG 2g.10gb", name);
	OK(nvmlDeviceGetAttributes_v2(mig, &attributes));
	EXPECT(9856, attributes.memorySizeMB);
	EXPECT(28, attributes.multiprocessorCount);
	OK(nvmlDeviceGetMemoryInfo(mig, &memory));
	EXPECT(9856 * MIB, memory.total);
	OK(nvmlComputeInstanceDestroy(compute));
	EXPECT(NVML_ERROR_INVALID_ARGUMENT, nvmlDeviceGetUUID(mig, again, sizeof again));
	OK(nvmlGpuInstanceCreateComputeInstance(instance, 1, &compute));
	OK(nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig));
	uuid_of(mig, again);
	EXPECT(true, strcmp(first, again) != 0); /* new on every creation */
	destroy_all(device);
}

static void an_instance_can_be_shared_out_by_slices(void)
{
	nvmlDevice_t device = card(0);
	nvmlGpuInstance_t instance = make(device, 9, 4, 4);
	nvmlComputeInstance_t one, two;
	nvmlComputeInstanceInfo_t info;
	unsigned count;
	OK(nvmlGpuInstanceCreateComputeInstance(instance, 1, &two));
	OK(nvmlGpuInstanceGetComputeInstanceRemainingCapacity(instance, 0, &count));
	EXPECT(1, count);
	OK(nvmlGpuInstanceCreateComputeInstance(instance, 0, &one));
	OK(nvmlComputeInstanceGetInfo_v2(one, &info));
	EXPECT(2, info.placement.start);
	destroy_all(device);
}

static char instance_uuid[96];
static struct steps steps;

static void use_the_instance(void)
{
	char name[96];
	size_t bytes;
	CUdeviceptr address;
	int count;
	char visible[200];
	snprintf(visible, sizeof visible, "%s,GPU-bbbb", instance_uuid);
	setenv("CUDA_VISIBLE_DEVICES", visible, 1);
	use_card(0);
	OK(cuDeviceGetCount(&count));
	EXPECT(1, count); /* a program has one instance, and nothing else */
	OK(cuDeviceGetName(name, sizeof name, 0));
	EXPECT_TEXT("Card A MIG 2g.10gb", name);
	OK(cuDeviceTotalMem_v2(&bytes, 0));
	EXPECT(9856 * MIB, bytes);
	EXPECT(9856, free_mib());
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 9857 * MIB));
	OK(cuMemAlloc_v2(&address, 200 * MIB));
	EXPECT(9656, free_mib());
	tell(steps.to_parent);
	await(steps.to_child);
}

static void programs_see_the_instance_as_a_card(void)
{
	nvmlDevice_t device = card(0), mig;
	nvmlComputeInstance_t compute;
	nvmlMemory_t memory;
	nvmlProcessInfo_t infos[4];
	unsigned count = 4, id;
	make(device, 9, 4, 4);
	OK(nvmlGpuInstanceCreateComputeInstance(make(device, 14, 2, 2), 1, &compute));
	OK(nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig));
	uuid_of(mig, instance_uuid);
	make_steps(&steps);
	pid_t child = start_child(use_the_instance);
	await(steps.to_parent);
	EXPECT(NVML_ERROR_IN_USE, nvmlComputeInstanceDestroy(compute));
	OK(nvmlDeviceGetMemoryInfo(mig, &memory));
	EXPECT(200 * MIB, memory.used);
	OK(nvmlDeviceGetMemoryInfo(device, &memory));
	EXPECT(200 * MIB, memory.used);
	OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, infos));
	EXPECT(1, count);
	EXPECT(child, infos[0].pid);
	OK(nvmlDeviceGetGpuInstanceId(mig, &id));
	EXPECT(id, infos[0].gpuInstanceId);
	kill_child(child);
	destroy_all(device);
}

static void instances_outlive_who_made_them(void)
{
	nvmlComputeInstance_t compute;
	OK(nvmlGpuInstanceCreateComputeInstance(make(card(0), 19, 6, 1), 0, &compute));
}

static void and_are_found_by_others(void)
{
	nvmlDevice_t device = card(0), mig;
	OK(nvmlDeviceGetMigDeviceHandleByIndex(device, 0, &mig));
	EXPECT(NVML_ERROR_INSUFFICIENT_RESOURCES, refused(device, 19, 6, 1));
	destroy_all(device);
}

static void a_newer_card_changes_its_mode_at_once(void)
{
	nvmlDevice_t device = card(1);
	nvmlReturn_t activation;
	nvmlGpuInstance_t made;
	unsigned current, pending, count;
	OK(nvmlDeviceGetMaxMigDeviceCount(device, &count));
	EXPECT(0, count);
	EXPECT(NVML_ERROR_NOT_SUPPORTED, nvmlDeviceCreateGpuInstance(device, 19, &made));
	OK(nvmlDeviceSetMigMode(device, 1, &activation));
	EXPECT(NVML_SUCCESS, activation);
	OK(nvmlDeviceCreateGpuInstance(device, 19, &made));
	EXPECT(NVML_ERROR_IN_USE, nvmlDeviceSetMigMode(device, 0, &activation));
	OK(nvmlGpuInstanceDestroy(made));
	OK(nvmlDeviceSetMigMode(device, 0, &activation));
	OK(nvmlDeviceGetMigMode(device, &current, &pending));
	EXPECT(0, current);
}

static void an_a100_changes_its_mode_when_it_is_reset(void)
{
	nvmlDevice_t device = card(0);
	nvmlReturn_t activation;
	unsigned current, pending;
	OK(nvmlDeviceSetMigMode(device, 0, &activation));
	EXPECT(NVML_ERROR_RESET_REQUIRED, activation);
	OK(nvmlDeviceGetMigMode(device, &current, &pending));
	EXPECT(1, current);
	EXPECT(0, pending);
	write_cards(A100 "resets = 1\n" H100);
	OK(nvmlDeviceGetMigMode(device, &current, &pending));
	EXPECT(0, current);
	OK(nvmlDeviceSetMigMode(device, 1, &activation));
	write_cards(A100 "resets = 2\n" H100);
	OK(nvmlDeviceGetMigMode(device, &current, &pending));
	EXPECT(1, current);
}

static void sensors_and_the_way_to_recovery(void)
{
	nvmlDevice_t device = card(1);
	nvmlFieldValue_t field = {.fieldId = NVML_FI_DEV_GET_GPU_RECOVERY_ACTION};
	unsigned number;
	OK(nvmlDeviceGetTemperature(device, 0, &number));
	EXPECT(40, number);
	OK(nvmlDeviceGetPowerUsage(device, &number));
	EXPECT(60000, number);
	OK(nvmlDeviceGetFieldValues(device, 1, &field));
	OK(field.nvmlReturn);
	EXPECT(NVML_GPU_RECOVERY_ACTION_NONE, field.value.uiVal);
	write_cards(A100 "resets = 2\n" H100 "health = xid:79\n");
	OK(nvmlDeviceGetFieldValues(device, 1, &field));
	EXPECT(NVML_GPU_RECOVERY_ACTION_GPU_RESET, field.value.uiVal);
	field.fieldId = 1;
	OK(nvmlDeviceGetFieldValues(device, 1, &field));
	EXPECT(NVML_ERROR_NOT_SUPPORTED, field.nvmlReturn);
}

int main(void)
{
	use_machine(A100 H100);
	in_child(a_profile_has_a_number_and_an_id);
	in_child(unknown_profiles_and_versions_are_told_apart);
	in_child(instances_do_not_overlap);
	in_child(a_card_is_filled_to_the_last_slice);
	in_child(a_compute_instance_is_a_device);
	in_child(an_instance_can_be_shared_out_by_slices);
	in_child(programs_see_the_instance_as_a_card);
	in_child(instances_outlive_who_made_them);
	in_child(and_are_found_by_others);
	in_child(a_newer_card_changes_its_mode_at_once);
	in_child(an_a100_changes_its_mode_when_it_is_reset);
	in_child(sensors_and_the_way_to_recovery);
	remove_machine();
	return 0;
}
