/* What a chip is: names, numbers, die, bus, processors that are near. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

int dcmi_get_device_type(int card, int device, enum dcmi_unit_type *type)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_type", card, device);
	if (code != DCMI_OK || !type)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*type = DCMI_NPU;
	return dcmi_leave(&call, type, sizeof *type);
}

static void put_text(unsigned char out[32], const char *text)
{
	snprintf((char *)out, 32, "%s", text);
}

/* The older struct is the beginning of the newer one. */
int dcmi_chip(const struct call *call, void *info, size_t size)
{
	struct dcmi_chip_info_v2 whole = {.aicore_cnt = (uint32_t)dcmi_number(call, "aicores", 0)};
	if (!info)
		return DCMI_BAD_PARAMETER;
	put_text(whole.chip_type, dcmi_text(call, "chip_type", "Ascend"));
	put_text(whole.chip_name, dcmi_text(call, "chip", ""));
	put_text(whole.chip_ver, dcmi_text(call, "chip_version", "V1"));
	put_text(whole.npu_name, dcmi_text(call, "npu_name", dcmi_text(call, "chip", "")));
	memcpy(info, &whole, size);
	return dcmi_leave(call, (char *)info + offsetof(struct dcmi_chip_info, chip_name), 32);
}

int dcmi_get_device_chip_info(int card, int device, struct dcmi_chip_info *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_chip_info", card, device);
	return code != DCMI_OK ? code : dcmi_chip(&call, info, sizeof *info);
}

int dcmi_get_device_chip_info_v2(int card, int device, struct dcmi_chip_info_v2 *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_chip_info_v2", card, device);
	return code != DCMI_OK ? code : dcmi_chip(&call, info, sizeof *info);
}

int dcmi_get_device_logic_id(int *logic, int card, int device)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_logic_id", card, device);
	if (code != DCMI_OK || !logic)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*logic = (int)dcmi_number(&call, "logic", call.chip);
	return dcmi_leave(&call, logic, sizeof *logic);
}

/* The chip with that number in one of the numberings. */
static int find(struct call *call, const char *name, const char *key, unsigned int number)
{
	int code = dcmi_enter(call, name);
	if (code != DCMI_OK)
		return code;
	for (int chip = 0; chip < (int)board_cards(call->board); chip++) {
		call->chip = chip;
		if (dcmi_number(call, key, chip) == number)
			return DCMI_OK;
	}
	return DCMI_INVALID_DEVICE;
}

static int pair_of(struct call *call, int code, int *card, int *device)
{
	if (code != DCMI_OK || !card || !device)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*card = (int)dcmi_number(call, "card", call->chip);
	*device = (int)dcmi_number(call, "device", 0);
	return dcmi_leave(call, card, sizeof *card);
}

int dcmi_get_card_id_device_id_from_logicid(int *card, int *device, unsigned int logic)
{
	struct call call;
	int code = find(&call, "dcmi_get_card_id_device_id_from_logicid", "logic", logic);
	return pair_of(&call, code, card, device);
}

int dcmi_get_card_id_device_id_from_phyid(int *card, int *device, unsigned int phy)
{
	struct call call;
	int code = find(&call, "dcmi_get_card_id_device_id_from_phyid", "phy", phy);
	return pair_of(&call, code, card, device);
}

static int number_of(struct call *call, int code, const char *key, unsigned int *number)
{
	if (code != DCMI_OK || !number)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*number = (unsigned int)dcmi_number(call, key, call->chip);
	return dcmi_leave(call, number, sizeof *number);
}

int dcmi_get_device_phyid_from_logicid(unsigned int logic, unsigned int *phy)
{
	struct call call;
	int code = find(&call, "dcmi_get_device_phyid_from_logicid", "logic", logic);
	return number_of(&call, code, "phy", phy);
}

int dcmi_get_device_logicid_from_phyid(unsigned int phy, unsigned int *logic)
{
	struct call call;
	int code = find(&call, "dcmi_get_device_logicid_from_phyid", "phy", phy);
	return number_of(&call, code, "logic", logic);
}

/* Five words in hexadecimal, separated by "-"; the other die of the chip differs in its first. */
int dcmi_die(const struct call *call, enum dcmi_die_type type, struct dcmi_die_id *die)
{
	const char *text = dcmi_text(call, "die", "");
	if (!die || !*text)
		return die ? DCMI_NOT_SUPPORTED : DCMI_BAD_PARAMETER;
	for (int word = 0; word < 5; word++) {
		char *end;
		die->soc_die[word] = (uint32_t)strtoul(text, &end, 16);
		text = *end == '-' ? end + 1 : end;
	}
	die->soc_die[0] ^= type == DCMI_VDIE ? 0u : 1u;
	return dcmi_leave(call, die, sizeof *die);
}

int dcmi_get_device_die_v2(int card, int device, enum dcmi_die_type type, struct dcmi_die_id *die)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_die_v2", card, device);
	return code != DCMI_OK ? code : dcmi_die(&call, type, die);
}

int dcmi_get_product_type(int card, int device, char *product, int length)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_product_type", card, device);
	return code != DCMI_OK ? code : dcmi_copy(&call, dcmi_text(&call, "product", ""), product, length);
}

int dcmi_pcie(const struct call *call, struct dcmi_pcie_info_all *info)
{
	unsigned int domain = 0, bus = 0, slot = 0, function = 0;
	if (!info)
		return DCMI_BAD_PARAMETER;
	if (sscanf(dcmi_text(call, "bus", ""), "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return DCMI_NOT_SUPPORTED;
	*info = (struct dcmi_pcie_info_all){.venderid = 0x19e5, .deviceid = 0xd802, .domain = (int32_t)domain,
					     .bdf_busid = bus, .bdf_deviceid = slot, .bdf_funcid = function};
	return dcmi_leave(call, info, sizeof *info);
}

int dcmi_get_device_pcie_info_v2(int card, int device, struct dcmi_pcie_info_all *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_pcie_info_v2", card, device);
	return code != DCMI_OK ? code : dcmi_pcie(&call, info);
}

int dcmi_cpus(const struct call *call, char *cpus, int *length)
{
	const char *text = dcmi_text(call, "cpus", "");
	if (!length)
		return DCMI_BAD_PARAMETER;
	int code = *text ? dcmi_copy(call, text, cpus, *length) : DCMI_NOT_SUPPORTED;
	*length = code == DCMI_OK ? (int)strlen(text) : *length;
	return code;
}

int dcmi_get_affinity_cpu_info_by_device_id(int card, int device, char *cpus, int *length)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_affinity_cpu_info_by_device_id", card, device);
	return code != DCMI_OK ? code : dcmi_cpus(&call, cpus, length);
}

int dcmi_get_device_board_info(int card, int device, struct dcmi_board_info *info)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_board_info", card, device);
	if (code != DCMI_OK || !info)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*info = (struct dcmi_board_info){.board_id = (uint32_t)dcmi_number(&call, "board", 0), .slot_id = (uint32_t)card};
	return dcmi_leave(&call, info, sizeof *info);
}
