/* The simulated librocm_smi64: what a card is doing, and which processes use it. */
#include <stdlib.h>
#include <string.h>

#include "smi.h"

static rsmi_status_t number(const char *name, uint32_t device, void *result, size_t size, const char *key,
			    int64_t factor)
{
	struct smi call = smi_of(name, device, result);
	if (call.status != RSMI_STATUS_SUCCESS)
		return smi_end(&call, call.status);
	const char *text = board_text(call.board, (int)device, key, "");
	if (!*text)
		return smi_end(&call, RSMI_STATUS_NOT_SUPPORTED); /* an older card has no such sensor */
	int64_t value = call.fault.garbage ? -1 : board_number(call.board, (int)device, key, 0) * factor;
	memcpy(result, &value, size); /* little endian: the low bytes come first */
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

rsmi_status_t rsmi_dev_memory_total_get(uint32_t device, rsmi_memory_type_t type, uint64_t *bytes)
{
	if (type != RSMI_MEM_TYPE_VRAM)
		return RSMI_STATUS_NOT_SUPPORTED;
	return number(__func__, device, bytes, sizeof *bytes, "memory_mib", (int64_t)DCU_MIB);
}

rsmi_status_t rsmi_dev_memory_usage_get(uint32_t device, rsmi_memory_type_t type, uint64_t *bytes)
{
	if (type != RSMI_MEM_TYPE_VRAM)
		return RSMI_STATUS_NOT_SUPPORTED;
	return number(__func__, device, bytes, sizeof *bytes, "used_mib", (int64_t)DCU_MIB);
}

rsmi_status_t rsmi_dev_busy_percent_get(uint32_t device, uint32_t *percent)
{
	return number(__func__, device, percent, sizeof *percent, "busy", 1);
}

rsmi_status_t rsmi_dev_power_ave_get(uint32_t device, uint32_t sensor, uint64_t *microwatts)
{
	if (sensor)
		return RSMI_STATUS_NOT_SUPPORTED;
	return number(__func__, device, microwatts, sizeof *microwatts, "power", 1000000);
}

rsmi_status_t rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, rsmi_temperature_metric_t metric,
				       int64_t *millidegrees)
{
	if (sensor || metric != RSMI_TEMP_CURRENT)
		return RSMI_STATUS_NOT_SUPPORTED;
	return number(__func__, device, millidegrees, sizeof *millidegrees, "temperature", 1000);
}

#ifdef HETERO_ROCM_SMI_HYHAL
typedef rsmi_error_count_hyhal_t error_count_t;
#else
typedef rsmi_error_count_dtk_t error_count_t;
#endif

/* `health = ecc:3` is three errors of memory that could not be corrected. */
rsmi_status_t rsmi_dev_ecc_count_get(uint32_t device, uint64_t block, void *counts)
{
	struct smi call = smi_of(__func__, device, counts);
	if (call.status == RSMI_STATUS_SUCCESS && block != RSMI_GPU_BLOCK_UMC)
		call.status = RSMI_STATUS_NOT_SUPPORTED;
	if (call.status != RSMI_STATUS_SUCCESS)
		return smi_end(&call, call.status);
	error_count_t found = {0};
	const char *health = board_text(call.board, (int)device, "health", "ok");
	if (strncmp(health, "ecc:", 4) == 0)
		found.uncorrectable_err = strtoull(health + 4, NULL, 10);
	memcpy(counts, &found, sizeof found);
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

/* The next `pid:MiB` of a card's line `processes`; false at its end. */
static bool next_process(const char **rest, uint32_t *pid, uint64_t *mib)
{
	char *end;
	*pid = (uint32_t)strtoul(*rest, &end, 10);
	if (end == *rest || *end != ':')
		return false;
	*mib = strtoull(end + 1, &end, 10);
	*rest = end + strspn(end, ", ");
	return true;
}

static void add(rsmi_process_info_t *all, uint32_t *count, uint32_t pid, uint64_t mib)
{
	uint32_t place = 0;
	while (place < *count && all[place].process_id != pid)
		place++;
	if (place == *count)
		all[(*count)++] = (rsmi_process_info_t){.process_id = pid, .pasid = 0x8000u + place};
	all[place].vram_usage += mib * DCU_MIB;
}

#define PROCESSES 256u

static uint32_t all_processes(const struct board *board, rsmi_process_info_t *all)
{
	uint32_t count = 0, pid;
	uint64_t mib;
	for (unsigned card = 0; card < board_cards(board); card++) {
		const char *rest = board_text(board, (int)card, "processes", "");
		while (count < PROCESSES && next_process(&rest, &pid, &mib))
			add(all, &count, pid, mib);
	}
	return count;
}

rsmi_status_t rsmi_compute_process_info_get(rsmi_process_info_t *processes, uint32_t *count)
{
	struct smi call = smi_begin(__func__);
	if (call.status != RSMI_STATUS_SUCCESS || !count)
		return smi_end(&call, call.status ? call.status : RSMI_STATUS_INVALID_ARGS);
	rsmi_process_info_t all[PROCESSES];
	uint32_t found = all_processes(call.board, all), room = *count;
	*count = call.fault.garbage ? 0xfffffff0u : found;
	if (processes)
		memcpy(processes, all, sizeof *all * (found < room ? found : room));
	return smi_end(&call, processes && room < found ? RSMI_STATUS_INSUFFICIENT_SIZE : RSMI_STATUS_SUCCESS);
}

static bool uses(const struct board *board, int card, uint32_t wanted)
{
	const char *rest = board_text(board, card, "processes", "");
	uint32_t pid;
	uint64_t mib;
	while (next_process(&rest, &pid, &mib))
		if (pid == wanted)
			return true;
	return false;
}

rsmi_status_t rsmi_compute_process_gpus_get(uint32_t pid, uint32_t *devices, uint32_t *count)
{
	struct smi call = smi_begin(__func__);
	if (call.status != RSMI_STATUS_SUCCESS || !count)
		return smi_end(&call, call.status ? call.status : RSMI_STATUS_INVALID_ARGS);
	uint32_t found = 0, room = *count;
	for (unsigned card = 0; card < board_cards(call.board); card++) {
		if (!uses(call.board, (int)card, pid))
			continue;
		if (devices && found < room)
			devices[found] = card;
		found++;
	}
	*count = found;
	rsmi_status_t answer = devices && room < found ? RSMI_STATUS_INSUFFICIENT_SIZE : RSMI_STATUS_SUCCESS;
	return smi_end(&call, found ? answer : RSMI_STATUS_NOT_FOUND);
}
