/* Starting and ending, versions, and which cards there are. */
#include "library.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int initialised;

static const char *const explanations[] = {
	[CNDEV_SUCCESS] = "success",
	[CNDEV_ERROR_NO_DRIVER] = "no driver is loaded",
	[CNDEV_ERROR_LOW_DRIVER_VERSION] = "the driver is too old",
	[CNDEV_ERROR_UNSUPPORTED_API_VERSION] = "a struct of another version",
	[CNDEV_ERROR_UNINITIALIZED] = "not initialised",
	[CNDEV_ERROR_INVALID_ARGUMENT] = "invalid argument",
	[CNDEV_ERROR_INVALID_DEVICE_ID] = "no such device",
	[CNDEV_ERROR_UNKNOWN] = "unknown error",
	[CNDEV_ERROR_MALLOC] = "out of host memory",
	[CNDEV_ERROR_INSUFFICIENT_SPACE] = "not enough room",
	[CNDEV_ERROR_NOT_SUPPORTED] = "not supported",
	[CNDEV_ERROR_INVALID_LINK] = "no such link",
	[CNDEV_ERROR_NO_DEVICES] = "no devices",
	[CNDEV_ERROR_NO_PERMISSION] = "no permission",
	[CNDEV_ERROR_NOT_FOUND] = "not found",
	[CNDEV_ERROR_IN_USE] = "in use",
	[CNDEV_ERROR_DUPLICATE] = "there is one already, or it is in use",
	[CNDEV_ERROR_TIMEOUT] = "timed out",
	[CNDEV_ERROR_IN_PROBLEM] = "the device has a problem",
};

cndevRet_t cndev_enter(struct call *call, const char *name)
{
	call->board = board_open("HETERO_SIM_CNDEV");
	if (!call->board)
		return CNDEV_ERROR_NO_DRIVER;
	call->fault = board_fault_of(call->board, name);
	if (call->fault.fails)
		return (cndevRet_t)call->fault.code;
	return __atomic_load_n(&initialised, __ATOMIC_ACQUIRE) ? CNDEV_SUCCESS : CNDEV_ERROR_UNINITIALIZED;
}

cndevRet_t cndev_enter_card(struct call *call, const char *name, cndevDevice_t device)
{
	cndevRet_t code = cndev_enter(call, name);
	if (code)
		return code;
	if (device < 0 || (unsigned)device >= board_cards(call->board) || device >= CARDS)
		return CNDEV_ERROR_INVALID_DEVICE_ID;
	bool lost = strcmp(board_text(call->board, device, "health", ""), "lost") == 0;
	return lost ? CNDEV_ERROR_IN_PROBLEM : CNDEV_SUCCESS;
}

cndevRet_t cndev_enter_query(struct call *call, const char *name, cndevDevice_t device, const void *out,
			     const int32_t *version)
{
	cndevRet_t code = cndev_enter_card(call, name, device);
	if (code)
		return code;
	if (!out)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	return version ? cndev_check_version(call->board, *version) : CNDEV_SUCCESS;
}

cndevRet_t cndev_leave(const struct call *call, void *out, size_t size)
{
	if (call->fault.garbage)
		memset(out, 0xff, size);
	if (call->fault.dies_after)
		board_die();
	return CNDEV_SUCCESS;
}

/* A library knows its own structs and those of the version before. */
cndevRet_t cndev_check_version(const struct board *board, int32_t version)
{
	long long newest = board_number(board, BOARD_MACHINE, "api", CNDEV_VERSION);
	return version == newest || version == newest - 1 ? CNDEV_SUCCESS : CNDEV_ERROR_UNSUPPORTED_API_VERSION;
}

struct state *cndev_lock(struct call *call)
{
	return board_lock(call->board, sizeof(struct state));
}

cndevRet_t cndevInit(int32_t reserved)
{
	struct call call;
	cndevRet_t code = cndev_enter(&call, __func__);
	if (code && code != CNDEV_ERROR_UNINITIALIZED)
		return code;
	if (reserved)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	__atomic_store_n(&initialised, 1, __ATOMIC_RELEASE);
	return CNDEV_SUCCESS;
}

cndevRet_t cndevRelease(void)
{
	struct call call;
	cndevRet_t code = cndev_enter(&call, __func__);
	if (!code)
		__atomic_store_n(&initialised, 0, __ATOMIC_RELEASE);
	return code;
}

const char *cndevGetErrorString(cndevRet_t code)
{
	size_t known = sizeof explanations / sizeof *explanations;
	return (size_t)code < known ? explanations[code] : "unknown code";
}

/* major.minor.build; what is not there is 0. */
static void read_version(const struct board *board, const char *key, const char *fallback, uint32_t parts[3])
{
	parts[0] = parts[1] = parts[2] = 0;
	(void)sscanf(board_text(board, BOARD_MACHINE, key, fallback), "%u.%u.%u", &parts[0], &parts[1], &parts[2]);
}

cndevRet_t cndevGetDriverVersion(uint32_t *major, uint32_t *minor, uint32_t *build)
{
	struct call call;
	uint32_t parts[3];
	cndevRet_t code = cndev_enter(&call, __func__);
	if (code)
		return code;
	if (!major || !minor || !build)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	read_version(call.board, "driver_version", "5.10.29", parts);
	cndev_leave(&call, parts, sizeof parts);
	*major = parts[0], *minor = parts[1], *build = parts[2];
	return CNDEV_SUCCESS;
}

cndevRet_t cndevGetLibVersion(cndevLibVersionInfo_t *version)
{
	struct call call;
	uint32_t parts[3];
	cndevRet_t code = cndev_enter(&call, __func__);
	if (code)
		return code;
	if (!version)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	code = cndev_check_version(call.board, version->version);
	if (code)
		return code;
	read_version(call.board, "cndev_version", "6.5.0", parts);
	version->libMajorVersion = parts[0], version->libMinorVersion = parts[1], version->libBuildVersion = parts[2];
	return cndev_leave(&call, version, sizeof *version);
}

cndevRet_t cndevGetVersionInfo(cndevVersionInfo_t *version, cndevDevice_t device)
{
	struct call call;
	uint32_t mcu[3], driver[3];
	cndevRet_t code = cndev_enter_query(&call, __func__, device, version, &version->version);
	if (code)
		return code;
	read_version(call.board, "mcu_version", "1.1.6", mcu);
	read_version(call.board, "driver_version", "5.10.29", driver);
	*version = (cndevVersionInfo_t){version->version, mcu[0], mcu[1], mcu[2], driver[0], driver[1], driver[2]};
	return cndev_leave(&call, version, sizeof *version);
}

cndevRet_t cndevGetDeviceCount(cndevCardInfo_t *info)
{
	struct call call;
	cndevRet_t code = cndev_enter(&call, __func__);
	if (code)
		return code;
	if (!info)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	code = cndev_check_version(call.board, info->version);
	if (code)
		return code;
	/* A driver that is still starting lists fewer cards than there are. */
	info->number = (uint32_t)board_number(call.board, BOARD_MACHINE, "listed", board_cards(call.board));
	return cndev_leave(&call, info, sizeof *info);
}

cndevRet_t cndevGetDeviceHandleByIndex(int32_t index, cndevDevice_t *device)
{
	struct call call;
	cndevRet_t code = cndev_enter(&call, __func__);
	if (code)
		return code;
	if (!device)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	if (index < 0 || (unsigned)index >= board_cards(call.board))
		return CNDEV_ERROR_INVALID_DEVICE_ID;
	*device = index;
	return cndev_leave(&call, device, sizeof *device);
}

static cndevRet_t find(const char *name, const char *key, const char *value, cndevDevice_t *device)
{
	struct call call;
	cndevRet_t code = cndev_enter(&call, name);
	if (code)
		return code;
	if (!device || !value)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	for (unsigned card = 0; card < board_cards(call.board); card++)
		if (strcasecmp(board_text(call.board, (int)card, key, ""), value) == 0) {
			*device = (cndevDevice_t)card;
			return cndev_leave(&call, device, sizeof *device);
		}
	return CNDEV_ERROR_NOT_FOUND;
}

cndevRet_t cndevGetDeviceHandleByUUID(const char *uuid, cndevDevice_t *device)
{
	return find(__func__, "uuid", uuid, device);
}

cndevRet_t cndevGetDeviceHandleByPciBusId(const char *address, cndevDevice_t *device)
{
	return find(__func__, "pci", address, device);
}
