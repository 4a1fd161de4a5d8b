/* The simulated cards, as both of their libraries see them. */
#ifndef HETERO_SIM_HYDMI_DCU_H
#define HETERO_SIM_HYDMI_DCU_H

#include <stdint.h>

#include "board.h"

#define DCU_MIB (1024ull * 1024ull)

/* The machine as it is now, or NULL when there is none. */
struct board *dcu_board(void);
bool dcu_lost(const struct board *board, int card);
uint64_t dcu_address(const struct board *board, int card); /* as rsmi_dev_pci_id_get has it */
const char *dcu_pci(const struct board *board, int card);
int dcu_units(const struct board *board, int card);
uint64_t dcu_mib(const struct board *board, int card);
/* How many direct links lead from one card to another: how often its number occurs among the first one's `links`. */
unsigned dcu_links(const struct board *board, int card, int peer);

#endif
