/*
 * NVML's lists of processes and of what they use. They tell of the whole machine; a program in a slice sees the processes
 * of its slice, and none on devices that are no part of it. Each list is asked for in full, and what is left of it is
 * handed on by the rules that the caller knows: how many there are when his room is too small.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

#define FIRST_ROOM 64
#define MOST_ROOM 65536

/* One of the lists, however NVML is asked for it. */
struct query {
	nvmlReturn_t (*ask)(const struct query *query, unsigned int *count, void *entries);
	nvmlDevice_t device;
	size_t entry, pid;      /* bytes of an entry; where in it the process is told */
	nvmlReturn_t when_none; /* the answer where there is nothing to list */
	nvmlReturn_t (*running_v1)(nvmlDevice_t, unsigned int *, nvmlProcessInfo_v1_t *);
	nvmlReturn_t (*running_v2)(nvmlDevice_t, unsigned int *, nvmlProcessInfo_v2_t *);
	nvmlReturn_t (*details)(nvmlDevice_t, nvmlProcessDetailList_t *);
	nvmlReturn_t (*samples)(nvmlDevice_t, nvmlProcessUtilizationSample_t *, unsigned int *, unsigned long long);
	nvmlReturn_t (*utilization)(nvmlDevice_t, nvmlProcessesUtilizationInfo_t *);
	nvmlProcessDetailList_t detail_list;
	nvmlProcessesUtilizationInfo_t utilization_info;
	unsigned long long since;
};

/* A process is known by the number that it has itself, or by the one that it has on the machine. */
static bool in_slice(const struct hetero_region *region, unsigned int pid)
{
	unsigned used = region ? atomic_load(&region->slots_used) : 0;
	for (unsigned i = 0; i < used && i < HETERO_SLOTS; i++) {
		const struct hetero_region_slot *slot = &region->slots[i];
		if (atomic_load(&slot->state) == HETERO_SLOT_TAKEN && (slot->pid == pid || slot->host_pid == pid))
			return true;
	}
	return pid == (unsigned int)getpid();
}

/* Moves what is the slice's to the front; how many that are. */
static unsigned int keep_own(const struct query *query, char *entries, unsigned int count)
{
	unsigned int kept = 0;
	if (slice_device_by_handle(query->device) >= HETERO_DEVICES)
		return 0;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int pid;
		memcpy(&pid, entries + i * query->entry + query->pid, sizeof pid);
		if (in_slice(slice_region(), pid))
			memmove(entries + kept++ * query->entry, entries + i * query->entry, query->entry);
	}
	return kept;
}

/* The whole list, to be freed by the caller. */
static nvmlReturn_t collect(const struct query *query, char **entries, unsigned int *count)
{
	for (unsigned int room = FIRST_ROOM; room <= MOST_ROOM; room *= 4) {
		*count = room;
		*entries = malloc(room * query->entry);
		nvmlReturn_t result = *entries ? query->ask(query, count, *entries) : NVML_ERROR_MEMORY;
		if (result == NVML_SUCCESS)
			return result;
		free(*entries);
		if (result != NVML_ERROR_INSUFFICIENT_SIZE)
			return result;
	}
	return NVML_ERROR_UNKNOWN;
}

static nvmlReturn_t answer(const struct query *query, unsigned int *room, void *entries)
{
	char *all;
	unsigned int count;
	nvmlReturn_t result = collect(query, &all, &count);
	if (result != NVML_SUCCESS)
		return result;
	count = keep_own(query, all, count);
	bool fits = count && entries && count <= *room;
	if (fits)
		memcpy(entries, all, count * query->entry);
	*room = count;
	free(all);
	return fits ? NVML_SUCCESS : count ? NVML_ERROR_INSUFFICIENT_SIZE : query->when_none;
}

static nvmlReturn_t ask_running(const struct query *query, unsigned int *count, void *entries)
{
	return query->running_v1 ? query->running_v1(query->device, count, entries)
				 : query->running_v2(query->device, count, entries);
}

nvmlReturn_t hook_nvml_processes_v1(nvmlReturn_t (*real)(nvmlDevice_t, unsigned int *, nvmlProcessInfo_v1_t *),
				    nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v1_t *infos)
{
	const struct query query = {.ask = ask_running, .device = device, .entry = sizeof *infos, .running_v1 = real};
	if (!count || (*count && !infos))
		return real(device, count, infos); /* NVML says what is wrong */
	return answer(&query, count, infos);
}

nvmlReturn_t hook_nvml_processes_v2(nvmlReturn_t (*real)(nvmlDevice_t, unsigned int *, nvmlProcessInfo_v2_t *),
				    nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_v2_t *infos)
{
	const struct query query = {.ask = ask_running, .device = device, .entry = sizeof *infos, .running_v2 = real};
	if (!count || (*count && !infos))
		return real(device, count, infos);
	return answer(&query, count, infos);
}

static nvmlReturn_t ask_details(const struct query *query, unsigned int *count, void *entries)
{
	nvmlProcessDetailList_t list = query->detail_list;
	list.numProcArrayEntries = *count;
	list.procArray = entries;
	nvmlReturn_t result = query->details(query->device, &list);
	*count = list.numProcArrayEntries;
	return result;
}

nvmlReturn_t hook_nvml_process_details(nvmlReturn_t (*real)(nvmlDevice_t, nvmlProcessDetailList_t *),
				       nvmlDevice_t device, nvmlProcessDetailList_t *list)
{
	if (!list || list->version != nvmlProcessDetailList_v1 || (list->numProcArrayEntries && !list->procArray))
		return real(device, list);
	const struct query query = {.ask = ask_details,
				    .device = device,
				    .entry = sizeof *list->procArray,
				    .details = real,
				    .detail_list = *list};
	return answer(&query, &list->numProcArrayEntries, list->procArray);
}

static nvmlReturn_t ask_samples(const struct query *query, unsigned int *count, void *entries)
{
	return query->samples(query->device, entries, count, query->since);
}

nvmlReturn_t hook_nvml_process_utilization(nvmlReturn_t (*real)(nvmlDevice_t, nvmlProcessUtilizationSample_t *,
								unsigned int *, unsigned long long),
					   nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples,
					   unsigned int *count, unsigned long long since)
{
	const struct query query = {.ask = ask_samples,
				    .device = device,
				    .entry = sizeof *samples,
				    .when_none = NVML_ERROR_NOT_FOUND,
				    .samples = real,
				    .since = since};
	return count ? answer(&query, count, samples) : real(device, samples, count, since);
}

static nvmlReturn_t ask_utilization(const struct query *query, unsigned int *count, void *entries)
{
	nvmlProcessesUtilizationInfo_t info = query->utilization_info;
	info.processSamplesCount = *count;
	info.procUtilArray = entries;
	nvmlReturn_t result = query->utilization(query->device, &info);
	*count = info.processSamplesCount;
	return result;
}

nvmlReturn_t hook_nvml_processes_utilization(nvmlReturn_t (*real)(nvmlDevice_t, nvmlProcessesUtilizationInfo_t *),
					     nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *info)
{
	if (!info || info->version != nvmlProcessesUtilizationInfo_v1)
		return real(device, info);
	const struct query query = {.ask = ask_utilization,
				    .device = device,
				    .entry = sizeof *info->procUtilArray,
				    .pid = offsetof(nvmlProcessUtilizationInfo_v1_t, pid),
				    .when_none = NVML_ERROR_NOT_FOUND,
				    .utilization = real,
				    .utilization_info = *info};
	return answer(&query, &info->processSamplesCount, info->procUtilArray);
}
