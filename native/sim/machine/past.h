/* Who was on a card a while ago: the lists of the management library lag. */
#ifndef HETERO_SIM_PAST_H
#define HETERO_SIM_PAST_H

#include "state.h"

#define SIM_LISTED (SIM_PROCESSES + SIM_GONE) /* processes that a list can have */

struct sim_listed {
	uint32_t pid;
	uint64_t bytes;
};

/* All with the lock held.  What the process has on the card has changed. */
void sim_past_note(struct sim_state *state, struct sim_process *process, uint32_t card);
/* It has ended. */
void sim_past_end(struct sim_state *state, const struct sim_process *process);

/*
 * The processes that had a context or memory on the card `lag_ns` ago, to an eighth of
 * the lag; those of now if there is none.  Room for SIM_LISTED.
 */
unsigned sim_past_list(const struct sim_state *state, uint32_t card, uint64_t now, struct sim_listed *listed);

#endif
