/* What a card is: its names and numbers, its place, and what it has. */
#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cndevGetCardNameStringByDevId(cndevDevice_t device)
{
	struct call call;
	if (cndev_enter_card(&call, __func__, device))
		return NULL;
	return call.fault.garbage ? "\xff\xfe" : board_text(call.board, device, "name", "MLU");
}

/* Source of the numbers: cndevNameEnum_t. */
static int32_t name_id(const char *name)
{
	static const struct {
		const char *part;
		int32_t id;
	} names[] = {{"MLU270", 1}, {"MLU290", 20}, {"MLU370", 23}, {"MLU365", 24}, {"MLU590", 26}, {"MLU585", 27},
		     {"MLU580", 30}, {"MLU570", 31}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(name, names[i].part))
			return names[i].id;
	return 0;
}

cndevRet_t cndevGetCardName(cndevCardName_t *name, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, name, &name->version);
	if (code)
		return code;
	name->id = name_id(board_text(call.board, device, "name", ""));
	return cndev_leave(&call, name, sizeof *name);
}

cndevRet_t cndevGetCardSN(cndevCardSN_t *sn, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, sn, &sn->version);
	if (code)
		return code;
	sn->sn = (uint64_t)board_number(call.board, device, "sn", 0);
	sn->motherBoardSn = (uint64_t)board_number(call.board, device, "motherboard_sn", 0);
	return cndev_leave(&call, sn, sizeof *sn);
}

cndevRet_t cndevGetUUID(cndevUUID_t *uuid, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, uuid, &uuid->version);
	if (code)
		return code;
	snprintf((char *)uuid->uuid, sizeof uuid->uuid, "%s", board_text(call.board, device, "uuid", ""));
	uuid->ncsUUID64 = (uint64_t)device + 1;
	return cndev_leave(&call, uuid, sizeof *uuid);
}

cndevRet_t cndevGetMemoryUsageV2(cndevMemoryInfoV2_t *memory, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, memory, NULL);
	if (code)
		return code;
	*memory = (cndevMemoryInfoV2_t){
		.physicalMemoryTotal = board_number(call.board, device, "memory_mib", 0),
		.physicalMemoryUsed = board_number(call.board, device, "memory_used_mib", 0),
	};
	memory->virtualMemoryTotal = memory->physicalMemoryTotal;
	memory->virtualMemoryUsed = memory->physicalMemoryUsed;
	memory->globalMemory = (uint64_t)memory->physicalMemoryTotal;
	return cndev_leave(&call, memory, sizeof *memory);
}

static cndevRet_t count(const char *name, const char *key, int32_t *version, int32_t *out, const void *given,
			cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, name, device, given, version);
	if (code)
		return code;
	*out = (int32_t)board_number(call.board, device, key, 0);
	return cndev_leave(&call, out, sizeof *out);
}

cndevRet_t cndevGetCoreCount(cndevCardCoreCount_t *cores, cndevDevice_t device)
{
	return count(__func__, "cores", &cores->version, &cores->count, cores, device);
}

cndevRet_t cndevGetClusterCount(cndevCardClusterCount_t *clusters, cndevDevice_t device)
{
	return count(__func__, "clusters", &clusters->version, &clusters->count, clusters, device);
}

cndevRet_t cndevGetComputeMode(cndevComputeMode_t *mode, cndevDevice_t device)
{
	return count(__func__, "compute_mode", &mode->version, &mode->mode, mode, device);
}

cndevRet_t cndevGetNUMANodeIdByDevId(cndevNUMANodeId_t *node, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, node, &node->version);
	if (code)
		return code;
	node->nodeId = (int32_t)board_number(call.board, device, "numa", -1);
	return cndev_leave(&call, node, sizeof *node);
}

cndevRet_t cndevGetPCIeInfoV2(cndevPCIeInfoV2_t *pci, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, pci, NULL);
	if (code)
		return code;
	*pci = (cndevPCIeInfoV2_t){.vendor = 0xcabc, .subsystemVendor = 0xcabc, .deviceId = 0x0590,
				   .slotId = (uint16_t)device};
	(void)sscanf(board_text(call.board, device, "pci", "0000:00:00.0"), "%x:%x:%x.%x", &pci->domain, &pci->bus,
		     &pci->device, &pci->function);
	return cndev_leave(&call, pci, sizeof *pci);
}

cndevRet_t cndevGetMimMode(cndevMimMode_t *mode, cndevDevice_t device)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, mode, &mode->version);
	if (code)
		return code;
	if (!board_flag(call.board, device, "mim_supported", true))
		return CNDEV_ERROR_NOT_SUPPORTED;
	mode->mimMode = board_flag(call.board, device, "mim", false);
	return cndev_leave(&call, mode, sizeof *mode);
}
