/* The simulated libhydmi: how it comes up, and what it answers about cards and vDCUs. */
#include "hydmi.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The driver's library opens its device once and keeps what came of it; another machine has another driver. */
static dmiStatus initialised(const struct board *board)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char machine[4096];
	static dmiStatus result;
	char path[4096], here[4096];
	pthread_mutex_lock(&lock);
	board_path(board, here, "");
	if (strcmp(machine, here) != 0) {
		strcpy(machine, here);
		bool there = access(board_path(board, path, "root/dev/mkfd"), F_OK) == 0;
		result = there ? DMI_STATUS_SUCCESS : DMI_STATUS_OPEN_MKFD_FAILED;
	}
	dmiStatus answer = result;
	pthread_mutex_unlock(&lock);
	return answer;
}

struct call call_begin(const char *name)
{
	struct call call = {.board = dcu_board(), .status = DMI_STATUS_OPEN_MKFD_FAILED};
	if (!call.board)
		return call;
	call.status = initialised(call.board);
	if (call.status != DMI_STATUS_SUCCESS)
		return call;
	call.fault = board_fault_of(call.board, name);
	if (call.fault.fails)
		call.status = (dmiStatus)call.fault.code;
	return call;
}

struct call call_change(const char *name)
{
	struct call call = call_begin(name);
	if (call.status != DMI_STATUS_SUCCESS)
		return call;
	if (!board_flag(call.board, BOARD_MACHINE, "privileged", true))
		call.status = DMI_STATUS_PERMISSION;
	else if (board_flag(call.board, BOARD_MACHINE, "container", false))
		call.status = DMI_STATUS_NOT_SUPPORTED;
	return call;
}

dmiStatus call_end(const struct call *call, dmiStatus status)
{
	if (call->fault.dies_after)
		board_die();
	return status;
}

bool call_has_card(const struct call *call, int card, dmiStatus *status)
{
	*status = call->status;
	if (*status == DMI_STATUS_SUCCESS && (card < 0 || card >= (int)board_cards(call->board)))
		*status = DMI_STATUS_INVALID_ARGUMENTS;
	else if (*status == DMI_STATUS_SUCCESS && dcu_lost(call->board, card))
		*status = DMI_STATUS_SYS_NODE_NOT_EXIST;
	return *status == DMI_STATUS_SUCCESS;
}

static dmiStatus tell(const struct call *call, int *result, int value)
{
	if (call->status != DMI_STATUS_SUCCESS)
		return call_end(call, call->status);
	if (!result)
		return call_end(call, DMI_STATUS_INVALID_ARGUMENTS);
	*result = call->fault.garbage ? -7 : value;
	return call_end(call, DMI_STATUS_SUCCESS);
}

dmiStatus dmiGetDeviceCount(int *count)
{
	struct call call = call_begin(__func__);
	return tell(&call, count, call.board ? (int)board_cards(call.board) : 0);
}

dmiStatus dmiGetMaxVDeviceCount(int *count)
{
	struct call call = call_begin(__func__);
	bool inside = call.board && board_flag(call.board, BOARD_MACHINE, "container", false);
	int most = call.board ? (int)board_number(call.board, BOARD_MACHINE, "vdevs_per_card", 4) : 0;
	return tell(&call, count, inside ? 0 : most);
}

static void describe(const struct call *call, int card, dmiDeviceInfo *info)
{
	memset(info, 0, sizeof *info);
	snprintf(info->name, sizeof info->name, "%s", board_text(call->board, card, "name", ""));
	info->compute_unit_count = dcu_units(call->board, card);
	info->global_mem_size = dcu_mib(call->board, card) * DCU_MIB;
	info->usage_mem_size = (uint64_t)board_number(call->board, card, "used_mib", 0) * DCU_MIB;
	info->device_id = card;
	if (call->fault.garbage) {
		memset(info->name, 0xff, sizeof info->name);
		info->compute_unit_count = -1;
		info->global_mem_size = ~0ull;
	}
}

dmiStatus dmiGetDeviceInfo(int device, dmiDeviceInfo *info)
{
	struct call call = call_begin(__func__);
	dmiStatus status;
	if (!call_has_card(&call, device, &status))
		return call_end(&call, status);
	if (!info)
		return call_end(&call, DMI_STATUS_INVALID_ARGUMENTS);
	describe(&call, device, info);
	return call_end(&call, DMI_STATUS_SUCCESS);
}

dmiStatus dmiGetVDeviceCount(int *count)
{
	struct call call = call_begin(__func__);
	int all = 0;
	struct vdevs *vdevs = call.status == DMI_STATUS_SUCCESS ? vdevs_lock(call.board) : NULL;
	if (vdevs) {
		for (unsigned card = 0; card < board_cards(call.board); card++)
			all += vdev_count(vdevs, (int)card);
		board_unlock(call.board);
	}
	return tell(&call, count, all);
}

dmiStatus dmiGetVDeviceInfo(int vdev, dmiDeviceInfo *info)
{
	struct call call = call_begin(__func__);
	if (call.status != DMI_STATUS_SUCCESS || !info)
		return call_end(&call, call.status ? call.status : DMI_STATUS_INVALID_ARGUMENTS);
	struct vdevs *vdevs = vdevs_lock(call.board);
	if (!vdevs)
		return call_end(&call, DMI_STATUS_FILE_ERROR);
	struct vdev found = vdev >= 0 && vdev < VDEVS ? vdevs->all[vdev] : (struct vdev){0};
	board_unlock(call.board);
	if (!found.owner)
		return call_end(&call, DMI_STATUS_VDEV_NOT_EXIST);
	describe(&call, found.owner - 1, info);
	info->compute_unit_count = found.units;
	info->global_mem_size = (uint64_t)found.mib * DCU_MIB;
	info->usage_mem_size = 0;
	return call_end(&call, DMI_STATUS_SUCCESS);
}

dmiStatus dmiGetDeviceRemainingInfo(int device, size_t *units, size_t *bytes)
{
	struct call call = call_begin(__func__);
	dmiStatus status;
	int left;
	uint64_t mib;
	if (!call_has_card(&call, device, &status))
		return call_end(&call, status);
	if (!units || !bytes)
		return call_end(&call, DMI_STATUS_INVALID_ARGUMENTS);
	struct vdevs *vdevs = vdevs_lock(call.board);
	if (!vdevs)
		return call_end(&call, DMI_STATUS_FILE_ERROR);
	vdev_remaining(call.board, vdevs, device, &left, &mib);
	board_unlock(call.board);
	*units = call.fault.garbage ? ~(size_t)0 : (size_t)left;
	*bytes = call.fault.garbage ? ~(size_t)0 : mib * DCU_MIB;
	return call_end(&call, DMI_STATUS_SUCCESS);
}

dmiStatus dmiGetDevBusyPercent(int device, int *percent)
{
	struct call call = call_begin(__func__);
	dmiStatus status;
	if (!call_has_card(&call, device, &status))
		return call_end(&call, status);
	return tell(&call, percent, (int)board_number(call.board, device, "busy", 0));
}

dmiStatus dmiGetStatusString(dmiStatus status, const char **text)
{
	static const char *const words[] = {
		[DMI_STATUS_SUCCESS] = "success",
		[DMI_STATUS_OPEN_MKFD_FAILED] = "open mkfd failed",
		[DMI_STATUS_INVALID_ARGUMENTS] = "invalid arguments",
		[DMI_STATUS_OUT_OF_RESOURCES] = "out of resources",
		[DMI_STATUS_VDEV_NOT_EXIST] = "vdev does not exist",
		[DMI_STATUS_DEVICE_BUSY] = "device busy",
		[DMI_STATUS_PERMISSION] = "permission denied",
	};
	if (!text)
		return DMI_STATUS_INVALID_ARGUMENTS;
	bool known = (size_t)status < sizeof words / sizeof *words && words[status];
	*text = known ? words[status] : "simulated status";
	return DMI_STATUS_SUCCESS;
}
