/* The machine, its numberings, and what becomes of a call. */
#include "library.h"

#include <stdatomic.h>
#include <string.h>

static atomic_bool ready[2]; /* by family */

static bool newer(const struct board *board)
{
	return strcmp(board_text(board, BOARD_MACHINE, "api", "dcmi"), "dcmiv2") == 0;
}

/* Up to the fault: whether there is a driver, and whether it is of this family. */
static int enter(struct call *call, const char *name, bool second)
{
	*call = (struct call){.board = board_open("HETERO_SIM_DCMI"), .chip = BOARD_MACHINE};
	if (!call->board)
		return DCMI_NOT_READY;
	call->fault = board_fault_of(call->board, name);
	if (call->fault.fails)
		return call->fault.code;
	return newer(call->board) == second ? DCMI_OK : DCMI_NOT_SUPPORTED;
}

static int begin(const char *name, bool second)
{
	struct call call;
	int code = enter(&call, name, second);
	if (code == DCMI_OK)
		ready[second] = true;
	return code;
}

int dcmi_init(void)
{
	return begin("dcmi_init", false);
}

int dcmiv2_init(void)
{
	return begin("dcmiv2_init", true);
}

int dcmi_enter(struct call *call, const char *name)
{
	int code = enter(call, name, false);
	return code == DCMI_OK && !ready[false] ? DCMI_NOT_READY : code;
}

static int living(const struct call *call)
{
	return strcmp(dcmi_text(call, "health", "0"), "lost") == 0 ? DCMI_NO_DEVICE : DCMI_OK;
}

int dcmi_enter_chip(struct call *call, const char *name, int card, int device)
{
	int code = dcmi_enter(call, name);
	if (code != DCMI_OK)
		return code;
	for (int chip = 0; chip < (int)board_cards(call->board); chip++) {
		call->chip = chip;
		if (dcmi_number(call, "card", chip) == card && dcmi_number(call, "device", 0) == device)
			return living(call);
	}
	return DCMI_INVALID_DEVICE;
}

int dcmi_enter_second(struct call *call, const char *name, int device)
{
	int code = enter(call, name, true);
	if (code != DCMI_OK || !ready[true])
		return code != DCMI_OK ? code : DCMI_NOT_READY;
	if (device < 0 || device >= (int)board_cards(call->board))
		return DCMI_INVALID_DEVICE;
	call->chip = device;
	return living(call);
}

int dcmi_leave(const struct call *call, void *out, size_t size)
{
	if (call->fault.dies_after)
		board_die();
	if (call->fault.garbage)
		memset(out, 0xA5, size);
	return DCMI_OK;
}

long long dcmi_number(const struct call *call, const char *key, long long fallback)
{
	return board_number(call->board, call->chip, key, fallback);
}

const char *dcmi_text(const struct call *call, const char *key, const char *fallback)
{
	return board_text(call->board, call->chip, key, fallback);
}

int dcmi_copy(const struct call *call, const char *text, char *out, long long length)
{
	if (!out || length <= (long long)strlen(text))
		return DCMI_BAD_PARAMETER;
	memcpy(out, text, strlen(text) + 1);
	return dcmi_leave(call, out, strlen(text));
}

int dcmi_get_dcmi_version(char *version, int length)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_dcmi_version");
	return code != DCMI_OK ? code : dcmi_copy(&call, dcmi_text(&call, "dcmi_version", "25.5.0"), version, length);
}

int dcmi_get_driver_version(char *version, unsigned int length)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_driver_version");
	return code != DCMI_OK ? code : dcmi_copy(&call, dcmi_text(&call, "driver_version", "25.5.0"), version, length);
}

/* Each card once, in the order of its first chip. */
static int list_cards(struct call *call, int *number, int *list, int length)
{
	if (!number || !list || length < 1 || length > DCMI_CARDS)
		return DCMI_BAD_PARAMETER;
	*number = 0;
	for (int chip = 0; chip < (int)board_cards(call->board); chip++) {
		call->chip = chip;
		int card = (int)dcmi_number(call, "card", chip);
		bool told = false;
		for (int i = 0; i < *number; i++)
			told = told || list[i] == card;
		if (!told && *number < length)
			list[(*number)++] = card;
	}
	return dcmi_leave(call, number, sizeof *number);
}

int dcmi_get_card_list(int *number, int *list, int length)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_card_list");
	return code != DCMI_OK ? code : list_cards(&call, number, list, length);
}

int dcmi_get_card_num_list(int *number, int *list, int length)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_card_num_list");
	return code != DCMI_OK ? code : list_cards(&call, number, list, length);
}

static int chips_of(struct call *call, int card)
{
	int found = 0;
	for (int chip = 0; chip < (int)board_cards(call->board); chip++) {
		call->chip = chip;
		found += dcmi_number(call, "card", chip) == card;
	}
	return found;
}

int dcmi_get_device_num_in_card(int card, int *number)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_device_num_in_card");
	if (code != DCMI_OK || !number)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*number = chips_of(&call, card);
	return *number ? dcmi_leave(&call, number, sizeof *number) : DCMI_INVALID_DEVICE;
}

/* The controllers of the card have ids behind those of its chips; -1 is none. */
int dcmi_get_device_id_in_card(int card, int *devices, int *mcu, int *cpu)
{
	struct call call;
	int code = dcmi_enter(&call, "dcmi_get_device_id_in_card");
	if (code != DCMI_OK || !devices || !mcu || !cpu)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*devices = chips_of(&call, card);
	*mcu = *devices;
	*cpu = -1;
	return *devices ? dcmi_leave(&call, devices, sizeof *devices) : DCMI_INVALID_DEVICE;
}

int dcmiv2_get_all_device_count(int *number)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_all_device_count", 0);
	if ((code != DCMI_OK && code != DCMI_NO_DEVICE) || !number)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*number = (int)board_cards(call.board);
	return dcmi_leave(&call, number, sizeof *number);
}

int dcmiv2_get_device_list(int *list, int *number, int length)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_list", 0);
	if ((code != DCMI_OK && code != DCMI_NO_DEVICE) || !list || !number)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*number = (int)board_cards(call.board) < length ? (int)board_cards(call.board) : length;
	for (int device = 0; device < *number; device++)
		list[device] = device;
	return dcmi_leave(&call, number, sizeof *number);
}
