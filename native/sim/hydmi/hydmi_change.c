/* The simulated libhydmi: making, changing and removing vDCUs. */
#include <stdlib.h>
#include <string.h>

#include "hydmi.h"

/* The driver may give memory in larger steps than it is asked in; nobody says. */
static int rounded(const struct board *board, int mib)
{
	int step = (int)board_number(board, BOARD_MACHINE, "memory_step", 1);
	return (mib + step - 1) / step * step;
}

static dmiStatus room(const struct call *call, const struct vdevs *vdevs, int card, int count, int units, uint64_t mib)
{
	int left_units, most = (int)board_number(call->board, BOARD_MACHINE, "vdevs_per_card", 4), all = 0;
	uint64_t left_mib;
	vdev_remaining(call->board, vdevs, card, &left_units, &left_mib);
	for (int number = 0; number < VDEVS; number++)
		all += vdevs->all[number].owner != 0;
	bool fits = vdev_count(vdevs, card) + count <= most && all + count <= VDEVS && units <= left_units &&
		    mib <= left_mib;
	return fits ? DMI_STATUS_SUCCESS : DMI_STATUS_OUT_OF_RESOURCES;
}

static dmiStatus sums(const struct call *call, int count, const int *units, const int *mib, int *all, uint64_t *bytes)
{
	bool sharing = board_flag(call->board, BOARD_MACHINE, "sharing", false);
	*all = 0;
	*bytes = 0;
	for (int one = 0; one < count; one++) {
		if (mib[one] <= 0 || (sharing ? units[one] != 0 : units[one] <= 0))
			return DMI_STATUS_INVALID_ARGUMENTS;
		*all += units[one];
		*bytes += (uint64_t)rounded(call->board, mib[one]);
	}
	return DMI_STATUS_SUCCESS;
}

static dmiStatus create(const struct call *call, int device, int count, const int *units, const int *mib)
{
	int all;
	uint64_t sum;
	dmiStatus status = sums(call, count, units, mib, &all, &sum);
	if (status != DMI_STATUS_SUCCESS)
		return status;
	struct vdevs *vdevs = vdevs_lock(call->board);
	if (!vdevs)
		return DMI_STATUS_FILE_ERROR;
	status = room(call, vdevs, device, count, all, sum);
	for (int one = 0; status == DMI_STATUS_SUCCESS && one < count; one++)
		vdev_make(call->board, vdevs, device, units[one], rounded(call->board, mib[one]));
	board_unlock(call->board);
	return status;
}

dmiStatus dmiCreateVDevices(int device, int count, int *units, int *mib)
{
	struct call call = call_change(__func__);
	dmiStatus status;
	if (!call_has_card(&call, device, &status))
		return call_end(&call, status);
	if (count < 1 || !units || !mib)
		return call_end(&call, DMI_STATUS_INVALID_ARGUMENTS);
	if (board_flag(call.board, BOARD_MACHINE, "mig", false))
		return call_end(&call, DMI_STATUS_NOT_SUPPORTED);
	return call_end(&call, create(&call, device, count, units, mib));
}

/* Programs in a vDCU are those that a line `in_use = 3, 5` of cards.conf tells of. */
static bool in_use(const struct board *board, int vdev)
{
	const char *rest = board_text(board, BOARD_MACHINE, "in_use", "");
	while (*rest) {
		char *end;
		if (strtol(rest, &end, 10) == vdev && end != rest)
			return true;
		rest = *end ? end + 1 : end;
	}
	return false;
}

/* Looks up a vDCU and leaves the state locked; NULL with the status when there is none, and nothing locked. */
static struct vdevs *found(const struct call *call, int vdev, dmiStatus *status)
{
	*status = call->status;
	struct vdevs *vdevs = *status == DMI_STATUS_SUCCESS ? vdevs_lock(call->board) : NULL;
	if (vdevs && vdev >= 0 && vdev < VDEVS && vdevs->all[vdev].owner)
		return vdevs;
	if (*status == DMI_STATUS_SUCCESS)
		*status = vdevs ? DMI_STATUS_VDEV_NOT_EXIST : DMI_STATUS_FILE_ERROR;
	if (vdevs)
		board_unlock(call->board);
	return NULL;
}

dmiStatus dmiDestroySingleVDevice(int vdev)
{
	struct call call = call_change(__func__);
	dmiStatus status;
	struct vdevs *vdevs = found(&call, vdev, &status);
	if (vdevs) {
		bool busy = in_use(call.board, vdev) || vdevs->all[vdev].started;
		status = busy ? DMI_STATUS_DEVICE_BUSY : DMI_STATUS_SUCCESS;
		if (!busy)
			vdev_remove(call.board, vdevs, vdev);
		board_unlock(call.board);
	}
	return call_end(&call, status);
}

static dmiStatus destroy_all(struct board *board, struct vdevs *vdevs, int card)
{
	for (int vdev = 0; vdev < VDEVS; vdev++)
		if (vdevs->all[vdev].owner == card + 1 && (in_use(board, vdev) || vdevs->all[vdev].started))
			return DMI_STATUS_DEVICE_BUSY;
	for (int vdev = 0; vdev < VDEVS; vdev++)
		if (vdevs->all[vdev].owner == card + 1)
			vdev_remove(board, vdevs, vdev);
	return DMI_STATUS_SUCCESS;
}

dmiStatus dmiDestroyVDevices(int device)
{
	struct call call = call_change(__func__);
	dmiStatus status;
	if (!call_has_card(&call, device, &status))
		return call_end(&call, status);
	struct vdevs *vdevs = vdevs_lock(call.board);
	if (!vdevs)
		return call_end(&call, DMI_STATUS_FILE_ERROR);
	status = destroy_all(call.board, vdevs, device);
	board_unlock(call.board);
	return call_end(&call, status);
}

static dmiStatus set_started(const char *name, int vdev, bool started)
{
	struct call call = call_change(name);
	dmiStatus status;
	struct vdevs *vdevs = found(&call, vdev, &status);
	if (vdevs) {
		vdevs->all[vdev].started = started;
		vdev_write(call.board, vdevs, vdev);
		board_unlock(call.board);
	}
	return call_end(&call, status);
}

dmiStatus dmiStartVDevice(int vdev)
{
	return set_started(__func__, vdev, true);
}

dmiStatus dmiStopVDevice(int vdev)
{
	return set_started(__func__, vdev, false);
}

/* Memory only: how the driver moves units between masks is not documented. */
dmiStatus dmiUpdateSingleVDevice(int vdev, int units, int mib)
{
	struct call call = call_change(__func__);
	dmiStatus status;
	int left_units;
	uint64_t left_mib;
	struct vdevs *vdevs = found(&call, vdev, &status);
	if (!vdevs)
		return call_end(&call, status);
	struct vdev *one = &vdevs->all[vdev];
	vdev_remaining(call.board, vdevs, one->owner - 1, &left_units, &left_mib);
	if (units != -1 && units != one->units)
		status = DMI_STATUS_NOT_YET_IMPLEMENTED;
	else if (mib != -1 && (mib <= 0 || (uint64_t)mib > left_mib + (uint64_t)one->mib))
		status = mib <= 0 ? DMI_STATUS_INVALID_ARGUMENTS : DMI_STATUS_OUT_OF_RESOURCES;
	else if (mib != -1)
		one->mib = rounded(call.board, mib);
	vdev_write(call.board, vdevs, vdev);
	board_unlock(call.board);
	return call_end(&call, status);
}

dmiStatus dmiGetVDevBusyPercent(int vdev, int *percent)
{
	struct call call = call_begin(__func__);
	dmiStatus status;
	struct vdevs *vdevs = percent ? found(&call, vdev, &status) : NULL;
	if (!percent)
		return call_end(&call, DMI_STATUS_INVALID_ARGUMENTS);
	if (vdevs) {
		*percent = in_use(call.board, vdev) ? 50 : 0;
		board_unlock(call.board);
	}
	return call_end(&call, status);
}
