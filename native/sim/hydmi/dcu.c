/* What a line of cards.conf says of a card. */
#include "dcu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct board *dcu_board(void)
{
	return board_open("HETERO_SIM_HYDMI");
}

bool dcu_lost(const struct board *board, int card)
{
	return strcmp(board_text(board, card, "health", "ok"), "lost") == 0;
}

const char *dcu_pci(const struct board *board, int card)
{
	return board_text(board, card, "pci", "0000:00:00.0");
}

uint64_t dcu_address(const struct board *board, int card)
{
	unsigned domain = 0, bus = 0, device = 0, function = 0;
	sscanf(dcu_pci(board, card), "%x:%x:%x.%x", &domain, &bus, &device, &function);
	return (uint64_t)domain << 32 | bus << 8 | device << 3 | function;
}

int dcu_units(const struct board *board, int card)
{
	return (int)board_number(board, card, "cus", 0);
}

uint64_t dcu_mib(const struct board *board, int card)
{
	return (uint64_t)board_number(board, card, "memory_mib", 0);
}

unsigned dcu_links(const struct board *board, int card, int peer)
{
	const char *rest = board_text(board, card, "links", "");
	unsigned count = 0;
	while (*rest) {
		char *end;
		long number = strtol(rest, &end, 10);
		if (end == rest)
			break;
		count += number == peer;
		rest = end + strspn(end, ", ");
	}
	return count;
}
