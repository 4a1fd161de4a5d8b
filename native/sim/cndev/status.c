/* How a card is and what it does: health, heat, power, use, processes. */
#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * `health` of cards.conf: "ok"; "warn:TEXT" and "fail:TEXT", an incident that the diagnosis tells; "bad", the device is in
 * a problem that nobody explains; "lost", no call about the card works.
 */
static int overall(const char *health)
{
	if (strncmp(health, "fail:", 5) == 0)
		return CNDEV_HEALTH_FAIL;
	return strncmp(health, "warn:", 5) == 0 ? CNDEV_HEALTH_WARN : CNDEV_HEALTH_PASS;
}

/* A failure that is diagnosed is one of the device too; a warning is not. */
static bool good(const char *health)
{
	return strcmp(health, "bad") != 0 && overall(health) != CNDEV_HEALTH_FAIL;
}

static int32_t driver_state(const struct call *call, cndevDevice_t device)
{
	return (int32_t)board_number(call->board, device, "driver_state", CNDEV_DRIVER_RUNNING);
}

cndevRet_t cndevGetCardHealthState(cndevCardHealthState_t *state, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, state, &state->version);
	if (code)
		return code;
	const char *health = board_text(call.board, device, "health", "ok");
	state->health = state->deviceState = good(health);
	state->driverState = driver_state(&call, device);
	return cndev_leave(&call, state, sizeof *state);
}

cndevRet_t cndevGetCardHealthStateV2(cndevCardHealthStateV2_t *state, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, state, NULL);
	if (code)
		return code;
	const char *health = board_text(call.board, device, "health", "ok");
	memset(state, 0, sizeof *state);
	state->health = state->deviceState = good(health);
	state->driverState = driver_state(&call, device);
	state->overallHealth = overall(health);
	if (state->overallHealth) {
		state->incident_count = 1;
		state->incidents[0] = (cndevIncidentInfo_t){.system = 0x10, .health = state->overallHealth};
		snprintf(state->incidents[0].error.msg, sizeof state->incidents[0].error.msg, "%s", health + 5);
	}
	return cndev_leave(&call, state, sizeof *state);
}

cndevRet_t cndevGetCardHeartbeatCount(cndevCardHeartbeatCount_t *count, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, count, &count->version);
	if (code)
		return code;
	count->heartbeatCount = (uint32_t)board_number(call.board, device, "heartbeats", 1);
	return cndev_leave(&call, count, sizeof *count);
}

cndevRet_t cndevGetTemperatureInfo(cndevTemperatureInfo_t *temperature, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, temperature, &temperature->version);
	if (code)
		return code;
	int32_t chip = (int32_t)board_number(call.board, device, "temperature", 40);
	*temperature = (cndevTemperatureInfo_t){
		.version = temperature->version, .board = chip - 5, .chip = chip, .memory = chip - 2};
	return cndev_leave(&call, temperature, sizeof *temperature);
}

cndevRet_t cndevGetDevicePowerInfo(cndevDevicePowerInfo_t *power, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, power, NULL);
	if (code)
		return code;
	*power = (cndevDevicePowerInfo_t){.usage = (int32_t)board_number(call.board, device, "power", 60), .cap = 350};
	return cndev_leave(&call, power, sizeof *power);
}

cndevRet_t cndevGetDeviceUtilizationInfo(cndevUtilizationInfo_t *utilization, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, utilization, &utilization->version);
	if (code)
		return code;
	int32_t average = (int32_t)board_number(call.board, device, "utilization", 0);
	utilization->averageCoreUtilization = average;
	for (int core = 0; core < 80; core++)
		utilization->coreUtilization[core] = average;
	return cndev_leave(&call, utilization, sizeof *utilization);
}

struct process {
	uint32_t pid, mib, percent;
};

/* `processes` of cards.conf: PID:MIB:PERCENT, separated by commas. */
static uint32_t read_processes(const struct call *call, cndevDevice_t device, struct process *found, uint32_t room)
{
	const char *text = board_text(call->board, device, "processes", "");
	uint32_t count = 0;
	for (struct process one; sscanf(text, " %u:%u:%u", &one.pid, &one.mib, &one.percent) == 3; count++) {
		if (count < room)
			found[count] = one;
		text = strchr(text, ',');
		if (!text)
			return count + 1;
		text++;
	}
	return count;
}

/* Of arrays the first element tells the version.  Too little room: the caller learns how much it takes. */
static cndevRet_t list(struct call *call, const char *name, cndevDevice_t device, uint32_t *count, const int32_t *version,
		       struct process found[64])
{
	cndevRet_t code = cndev_enter_query(call, name, device, count, NULL);
	if (code)
		return code;
	uint32_t room = *count;
	*count = read_processes(call, device, found, 64);
	if (*count > room)
		return CNDEV_ERROR_INSUFFICIENT_SPACE;
	return *count && version ? cndev_check_version(call->board, *version) : CNDEV_SUCCESS;
}

cndevRet_t cndevGetProcessInfo(uint32_t *count, cndevProcessInfo_t *processes, cndevDevice_t device)
{
	struct call call;
	struct process found[64];
	cndevRet_t code = list(&call, __func__, device, count, processes ? &processes->version : NULL, found);
	if (code)
		return code;
	for (uint32_t i = 0; i < *count; i++) {
		processes[i].pid = found[i].pid;
		processes[i].physicalMemoryUsed = processes[i].virtualMemoryUsed = found[i].mib * 1024ull;
	}
	return cndev_leave(&call, processes, *count * sizeof *processes);
}

cndevRet_t cndevGetProcessUtilization(uint32_t *count, cndevProcessUtilization_t *processes, cndevDevice_t device)
{
	struct call call;
	struct process found[64];
	cndevRet_t code = list(&call, __func__, device, count, processes ? &processes->version : NULL, found);
	if (code)
		return code;
	for (uint32_t i = 0; i < *count; i++) {
		processes[i].pid = found[i].pid;
		processes[i].ipuUtil = found[i].percent;
	}
	return cndev_leave(&call, processes, *count * sizeof *processes);
}
