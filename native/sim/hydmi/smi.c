/* The simulated librocm_smi64, of either generation: how it comes up, and what each card is. */
#include "smi.h"

#include <stdio.h>
#include <string.h>

static int references;

struct smi smi_begin(const char *name)
{
	struct smi call = {.board = dcu_board(), .status = RSMI_STATUS_INIT_ERROR};
	if (!call.board || !__atomic_load_n(&references, __ATOMIC_ACQUIRE))
		return call;
	call.status = RSMI_STATUS_SUCCESS;
	call.fault = board_fault_of(call.board, name);
	if (call.fault.fails)
		call.status = (rsmi_status_t)call.fault.code;
	return call;
}

struct smi smi_of(const char *name, uint32_t card, const void *result)
{
	struct smi call = smi_begin(name);
	if (call.status != RSMI_STATUS_SUCCESS)
		return call;
	if (card >= board_cards(call.board) || !result)
		call.status = RSMI_STATUS_INVALID_ARGS;
	else if (dcu_lost(call.board, (int)card))
		call.status = RSMI_STATUS_FILE_ERROR;
	return call;
}

rsmi_status_t smi_end(const struct smi *call, rsmi_status_t status)
{
	if (call->fault.dies_after)
		board_die();
	return status;
}

rsmi_status_t rsmi_init(uint64_t flags)
{
	struct board *board = dcu_board();
	struct board_fault fault = board ? board_fault_of(board, __func__) : (struct board_fault){0};
	(void)flags;
	if (!board)
		return RSMI_STATUS_INIT_ERROR;
	if (fault.fails)
		return (rsmi_status_t)fault.code;
	__atomic_fetch_add(&references, 1, __ATOMIC_RELEASE);
	return RSMI_STATUS_SUCCESS;
}

rsmi_status_t rsmi_shut_down(void)
{
	struct smi call = smi_begin(__func__);
	if (call.status == RSMI_STATUS_SUCCESS)
		__atomic_fetch_sub(&references, 1, __ATOMIC_RELEASE);
	return smi_end(&call, call.status);
}

rsmi_status_t rsmi_num_monitor_devices(uint32_t *count)
{
	struct smi call = smi_begin(__func__);
	if (call.status != RSMI_STATUS_SUCCESS || !count)
		return smi_end(&call, call.status ? call.status : RSMI_STATUS_INVALID_ARGS);
	*count = call.fault.garbage ? 0xfffffff0u : board_cards(call.board);
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

rsmi_status_t rsmi_version_get(rsmi_version_t *version)
{
	struct smi call = smi_begin(__func__);
	if (call.status != RSMI_STATUS_SUCCESS || !version)
		return smi_end(&call, call.status ? call.status : RSMI_STATUS_INVALID_ARGS);
	*version = (rsmi_version_t){.build = "simulated"};
	sscanf(board_text(call.board, BOARD_MACHINE, "version", "2.8.0"), "%u.%u.%u", &version->major, &version->minor,
	       &version->patch);
	if (call.fault.garbage)
		version->major = 0xffffffffu;
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

rsmi_status_t rsmi_status_string(rsmi_status_t status, const char **text)
{
	if (!text)
		return RSMI_STATUS_INVALID_ARGS;
	*text = status == RSMI_STATUS_SUCCESS ? "success" : "simulated status";
	return RSMI_STATUS_SUCCESS;
}

rsmi_status_t rsmi_dev_id_get(uint32_t device, uint16_t *id)
{
	struct smi call = smi_of(__func__, device, id);
	if (call.status == RSMI_STATUS_SUCCESS)
		*id = call.fault.garbage ? 0xffff : (uint16_t)board_number(call.board, (int)device, "device_id", 0);
	return smi_end(&call, call.status);
}

/* A text that does not fit is cut, and the code says so. */
static rsmi_status_t write_text(const struct smi *call, char *out, size_t size, const char *text)
{
	if (call->status != RSMI_STATUS_SUCCESS)
		return smi_end(call, call->status);
	if (!size)
		return smi_end(call, RSMI_STATUS_INVALID_ARGS);
	int length = snprintf(out, size, "%s", text);
	if (call->fault.garbage)
		memset(out, 0xff, size);
	return smi_end(call, (size_t)length < size ? RSMI_STATUS_SUCCESS : RSMI_STATUS_INSUFFICIENT_SIZE);
}

rsmi_status_t rsmi_dev_name_get(uint32_t device, char *name, size_t size)
{
	struct smi call = smi_of(__func__, device, name);
	const char *text = call.status ? "" : board_text(call.board, (int)device, "name", "");
	return write_text(&call, name, size, text);
}

rsmi_status_t rsmi_dev_serial_number_get(uint32_t device, char *serial, uint32_t size)
{
	struct smi call = smi_of(__func__, device, serial);
	const char *text = call.status ? "" : board_text(call.board, (int)device, "serial", "");
	if (call.status == RSMI_STATUS_SUCCESS && !*text)
		call.status = RSMI_STATUS_NOT_SUPPORTED;
	return write_text(&call, serial, size, text);
}

static rsmi_status_t number(const struct smi *call, uint64_t *result, uint64_t value)
{
	if (call->status == RSMI_STATUS_SUCCESS)
		*result = call->fault.garbage ? ~0ull : value;
	return smi_end(call, call->status);
}

rsmi_status_t rsmi_dev_unique_id_get(uint32_t device, uint64_t *id)
{
	struct smi call = smi_of(__func__, device, id);
	uint64_t value = call.status ? 0 : (uint64_t)board_number(call.board, (int)device, "unique_id", 0);
	if (call.status == RSMI_STATUS_SUCCESS && !value)
		call.status = RSMI_STATUS_NOT_SUPPORTED;
	return number(&call, id, value);
}

rsmi_status_t rsmi_dev_pci_id_get(uint32_t device, uint64_t *address)
{
	struct smi call = smi_of(__func__, device, address);
	return number(&call, address, call.status ? 0 : dcu_address(call.board, (int)device));
}

rsmi_status_t rsmi_topo_numa_affinity_get(uint32_t device, int32_t *node)
{
	struct smi call = smi_of(__func__, device, node);
	if (call.status == RSMI_STATUS_SUCCESS)
		*node = call.fault.garbage ? 0x7fffffff : (int32_t)board_number(call.board, (int)device, "numa", -1);
	return smi_end(&call, call.status);
}

rsmi_status_t rsmi_dev_drm_render_minor_get(uint32_t device, uint32_t *minor)
{
	struct smi call = smi_of(__func__, device, minor);
	if (call.status == RSMI_STATUS_SUCCESS)
		*minor = (uint32_t)board_number(call.board, (int)device, "render_minor", 128 + device);
	return smi_end(&call, call.status);
}
