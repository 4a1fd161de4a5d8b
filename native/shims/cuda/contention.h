/* Who else is on a device, and what this process really used of it (contention.c). */
#ifndef HETERO_SHIM_CONTENTION_H
#define HETERO_SHIM_CONTENTION_H

#include "shim.h"

/* True when this process was the only one on the device at the last look. */
bool contention_alone(unsigned position);

/* Looks, at most once in a second, at the device of the calling thread's context. No lock is held. */
void contention_look(struct hetero_region *region, unsigned position);

#endif
