/* Who else is on a device, and what this process really used of it (contention.c). */
#ifndef HETERO_SHIM_CONTENTION_H
#define HETERO_SHIM_CONTENTION_H

#include "shim.h"

/* Processes on the device beside this one, at the last look; 1 when it is not known. */
uint32_t contention_others(unsigned position);

/* Looks, four times in a second at most, at the device of the calling thread's context. No lock is held. */
void contention_look(struct hetero_region *region, unsigned position);

/* Counts what was charged for one launch, ns. */
void contention_charged(unsigned position, int64_t ns);

#endif
