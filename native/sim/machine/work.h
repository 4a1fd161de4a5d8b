/* What the sweep needs of the clock of the cards; the drivers use machine.h. */
#ifndef HETERO_SIM_WORK_H
#define HETERO_SIM_WORK_H

#include "state.h"

/* Counts the work of a process that has ended as busy time.  Call with the lock held. */
void sim_work_settle(struct sim_state *state, struct sim_process *process, uint64_t now);

#endif
