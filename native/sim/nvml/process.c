/*
 * Processes on a card, and the time it was busy.
 *
 * The three versions of the list differ only in the size of an entry.  Each
 * takes the room in `count` and answers INSUFFICIENT_SIZE with the number of
 * processes when the room is too small; asking with room for none is how a
 * caller learns the number.
 */
#include "../machine/past.h"
#include "library.h"

#include <string.h>

#define NO_INSTANCE 0xFFFFFFFFu

/* Those of one place, with the lock held. */
static unsigned collect_at(uint32_t place, unsigned gpu, unsigned compute, nvmlProcessInfo_v2_t found[SIM_LISTED],
			   unsigned count)
{
	struct sim_listed listed[SIM_LISTED];
	unsigned more = sim_past_list(library.machine.state, place, sim_now(), listed);
	for (unsigned i = 0; i < more && count < SIM_LISTED; i++)
		found[count++] = (nvmlProcessInfo_v2_t){.pid = listed[i].pid,
							.usedGpuMemory = listed[i].bytes,
							.gpuInstanceId = gpu,
							.computeInstanceId = compute};
	return count;
}

/* Collects them under the lock, so that a list is of one moment. Those of instances are on the card as well. */
static unsigned collect(uint32_t card, nvmlProcessInfo_v2_t found[SIM_LISTED])
{
	struct sim_state *state = library.machine.state;
	const struct sim_mig *mig = &state->cards[card].mig;
	sim_lock(state);
	sim_sweep(state);
	unsigned count = collect_at(card, NO_INSTANCE, NO_INSTANCE, found, 0);
	for (unsigned i = 0; i < SIM_INSTANCES * SIM_INSTANCES; i++) {
		const struct sim_gpu_instance *instance = &mig->instances[i / SIM_INSTANCES];
		const struct sim_compute_instance *compute = &instance->compute[i % SIM_INSTANCES];
		if (instance->taken && compute->taken && compute->place)
			count = collect_at(compute->place, instance->id, i % SIM_INSTANCES, found, count);
	}
	sim_unlock(state);
	return count;
}

/* An entry of every version begins as the longest one does. */
static nvmlReturn_t list(nvmlDevice_t device, unsigned *room, void *entries, size_t entry_size)
{
	nvmlProcessInfo_v2_t found[SIM_LISTED];
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(room && (entries || !*room));
	unsigned count = collect(device->index, found);
	bool fits = count <= *room;
	*room = count;
	if (!fits)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	for (unsigned i = 0; i < count; i++)
		memcpy((char *)entries + i * entry_size, &found[i], entry_size);
	return NVML_SUCCESS;
}

static nvmlReturn_t list_none(nvmlDevice_t device, unsigned *room)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(room);
	*room = 0;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *count,
							     nvmlProcessInfo_v1_t *entries)
{
	return list(device, count, entries, sizeof *entries);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
								nvmlProcessInfo_v2_t *entries)
{
	return list(device, count, entries, sizeof *entries);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
								nvmlProcessInfo_t *entries)
{
	return list(device, count, entries, sizeof *entries);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(nvmlDevice_t device, unsigned int *count,
							      nvmlProcessInfo_v1_t *entries)
{
	(void)entries;
	return list_none(device, count);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
								 nvmlProcessInfo_v2_t *entries)
{
	(void)entries;
	return list_none(device, count);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
								 nvmlProcessInfo_t *entries)
{
	(void)entries;
	return list_none(device, count);
}

static unsigned percent(uint64_t busy_ns)
{
	return (unsigned)((busy_ns * 100 + SIM_SECOND_NS / 2) / SIM_SECOND_NS);
}

static unsigned memory_percent(const struct sim_card_config *card, uint64_t used)
{
	return (unsigned)(used * 100 / card->memory_bytes);
}

/* `memory` is the share of time in which memory was moved; kernels here do nothing else, and copies take no time. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(utilization);
	if (is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	struct sim_state *state = library.machine.state;
	sim_lock(state);
	sim_sweep(state);
	uint64_t now = sim_play_on(state, device->index);
	utilization->gpu = percent(sim_card_busy(state, device->index, now));
	utilization->memory = 0;
	sim_unlock(state);
	return NVML_SUCCESS;
}

/* What a driver that looks so many times in a second finds, by chance that is the same in each run. */
static unsigned looked(uint64_t busy_ns, uint64_t now, uint32_t pid)
{
	uint64_t looks = library.machine.config.looks, found = 0, state = now + pid * 0x9E3779B97F4A7C15ull;
	if (!looks)
		return percent(busy_ns);
	for (uint64_t i = 0; i < looks; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		found += (state >> 33) % SIM_SECOND_NS < busy_ns;
	}
	return (unsigned)(found * 100 / looks);
}

static unsigned sample(const struct sim_card_config *card, uint32_t index, nvmlProcessUtilizationSample_t *samples)
{
	struct sim_state *state = library.machine.state;
	unsigned count = 0;
	sim_lock(state);
	sim_sweep(state);
	uint64_t now = sim_play_on(state, index);
	for (int i = 0; i < SIM_PROCESSES; i++) {
		const struct sim_process *process = &state->processes[i];
		uint64_t busy = process->taken ? sim_process_busy(state, process, index, now) : 0;
		if (!busy)
			continue;
		samples[count++] = (nvmlProcessUtilizationSample_t){
			.pid = process->pid,
			.timeStamp = sim_wall_clock_us(),
			.smUtil = looked(busy, now, process->pid),
			.memUtil = memory_percent(card, process->memory[index]),
		};
	}
	sim_unlock(state);
	return count;
}

/*
 * One sample for each process that ran within the last second.  It is made when it
 * is asked for, so it is newer than any `since` that a caller can have seen.
 */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples,
							unsigned int *room, unsigned long long since)
{
	nvmlProcessUtilizationSample_t found[SIM_PROCESSES];
	NEED_CARD(card, device);
	NEED_ARGUMENT(room);
	if (is_partitioned(device))
		return NVML_ERROR_NOT_SUPPORTED;
	unsigned count = since > sim_wall_clock_us() ? 0 : sample(card, device->index, found);
	if (!count)
		return NVML_ERROR_NOT_FOUND;
	bool fits = samples && count <= *room;
	*room = count;
	if (!fits)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	memcpy(samples, found, count * sizeof *samples);
	return NVML_SUCCESS;
}
