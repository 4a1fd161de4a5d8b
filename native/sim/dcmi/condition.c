/* What a chip does at the moment: health, memory, processes, sensors. */
#include <stdlib.h>

#include "library.h"

int dcmi_health(const struct call *call, unsigned int *health)
{
	if (!health)
		return DCMI_BAD_PARAMETER;
	*health = (unsigned int)dcmi_number(call, "health", 0);
	return dcmi_leave(call, health, sizeof *health);
}

int dcmi_get_device_health(int card, int device, unsigned int *health)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_health", card, device);
	return code != DCMI_OK ? code : dcmi_health(&call, health);
}

/* The numbers of a list that are separated by commas. */
int dcmi_errors(const struct call *call, int *count, unsigned int *list, unsigned int length)
{
	const char *text = dcmi_text(call, "errors", "");
	if (!count || !list)
		return DCMI_BAD_PARAMETER;
	for (*count = 0; *text && *count < (int)length; (*count)++) {
		char *end;
		list[*count] = (unsigned int)strtoul(text, &end, 0);
		if (end == text)
			break;
		text = *end == ',' ? end + 1 : end;
	}
	return dcmi_leave(call, count, sizeof *count);
}

int dcmi_get_device_errorcode_v2(int card, int device, int *count, unsigned int *list, unsigned int length)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_errorcode_v2", card, device);
	return code != DCMI_OK ? code : dcmi_errors(&call, count, list, length);
}

/* "pid:megabytes" items, separated by commas. Sets the count whatever was in it, and writes 32 at most. */
static int read_processes(const struct call *call, struct dcmi_proc_mem_info *list)
{
	const char *text = dcmi_text(call, "processes", "");
	int number = 0;
	while (*text && number < DCMI_PROCESSES) {
		char *end;
		long pid = strtol(text, &end, 10);
		long long memory = *end == ':' ? strtoll(end + 1, &end, 10) : 0;
		if (end == text)
			break;
		list[number++] = (struct dcmi_proc_mem_info){.proc_id = (int32_t)pid, .proc_mem_usage = (uint64_t)memory << 20};
		text = *end == ',' ? end + 1 : end;
	}
	return number;
}

int dcmi_processes(const struct call *call, struct dcmi_proc_mem_info *list, int *number)
{
	if (!list || !number)
		return DCMI_BAD_PARAMETER;
	*number = read_processes(call, list);
	return dcmi_leave(call, number, sizeof *number);
}

int dcmi_get_device_resource_info(int card, int device, struct dcmi_proc_mem_info *list, int *number)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_resource_info", card, device);
	return code != DCMI_OK ? code : dcmi_processes(&call, list, number);
}

/* What the chip itself keeps, and what the processes use. */
static uint64_t used(const struct call *call)
{
	struct dcmi_proc_mem_info list[DCMI_PROCESSES];
	uint64_t sum = (uint64_t)dcmi_number(call, "used", 0);
	int number = read_processes(call, list);
	for (int i = 0; i < number; i++)
		sum += list[i].proc_mem_usage >> 20;
	return sum;
}

int dcmi_hbm(const struct call *call, struct dcmi_hbm_info *info)
{
	if (!info || !board_flag(call->board, call->chip, "hbm", true))
		return info ? DCMI_NOT_SUPPORTED : DCMI_BAD_PARAMETER;
	*info = (struct dcmi_hbm_info){.memory_size = (uint64_t)dcmi_number(call, "memory", 0), .freq = 1600,
				       .memory_usage = used(call), .temp = (int)dcmi_number(call, "temperature", 0)};
	return dcmi_leave(call, info, sizeof *info);
}

int dcmi_get_device_hbm_info(int card, int device, struct dcmi_hbm_info *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_hbm_info", card, device);
	return code != DCMI_OK ? code : dcmi_hbm(&call, info);
}

int dcmi_get_device_memory_info_v3(int card, int device, struct dcmi_get_memory_info_stru *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_memory_info_v3", card, device);
	if (code != DCMI_OK || !info)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	if (board_flag(call.board, call.chip, "hbm", true))
		return DCMI_NOT_SUPPORTED;
	uint64_t size = (uint64_t)dcmi_number(&call, "memory", 0);
	*info = (struct dcmi_get_memory_info_stru){.memory_size = size, .memory_available = size - used(&call)};
	return dcmi_leave(&call, info, sizeof *info);
}

int dcmi_utilization(const struct call *call, int type, unsigned int *percent)
{
	if (!percent)
		return DCMI_BAD_PARAMETER;
	if (type != DCMI_USE_AICORE && type != DCMI_USE_ALL)
		return DCMI_NOT_SUPPORTED;
	*percent = (unsigned int)dcmi_number(call, "utilization", 0);
	return dcmi_leave(call, percent, sizeof *percent);
}

int dcmi_get_device_utilization_rate(int card, int device, int type, unsigned int *percent)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_utilization_rate", card, device);
	return code != DCMI_OK ? code : dcmi_utilization(&call, type, percent);
}

int dcmi_sensor(const struct call *call, const char *key, int *value)
{
	if (!value)
		return DCMI_BAD_PARAMETER;
	long long told = dcmi_number(call, key, -1);
	if (told < 0)
		return DCMI_NOT_SUPPORTED;
	*value = (int)told;
	return dcmi_leave(call, value, sizeof *value);
}

int dcmi_get_device_power_info(int card, int device, int *tenths)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_power_info", card, device);
	return code != DCMI_OK ? code : dcmi_sensor(&call, "power", tenths);
}

int dcmi_get_device_temperature(int card, int device, int *degrees)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_temperature", card, device);
	return code != DCMI_OK ? code : dcmi_sensor(&call, "temperature", degrees);
}
