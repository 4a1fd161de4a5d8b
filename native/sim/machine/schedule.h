/* Whose turn it is on a card: round robin with a time slice.  Pure; work.c plays by it, and predicts. */
#ifndef HETERO_SIM_SCHEDULE_H
#define HETERO_SIM_SCHEDULE_H

#include "state.h"

#define SIM_NOBODY UINT32_MAX

/*
 * Gives the turn to who has it from turn->at_ns on, and returns the slot:
 * SIM_NOBODY when none is ready.  *stop_ns is when the turn passes on, UINT64_MAX if nobody
 * else is ready.
 */
uint32_t sim_turn_give(struct sim_turn *turn, const struct sim_slots *ready, uint64_t slice_ns, uint64_t *stop_ns);

/* The holder of the turn has run up to `to_ns`. */
void sim_turn_pass(struct sim_turn *turn, uint64_t to_ns, uint64_t slice_ns);

#endif
