/* Slots, as the other parts of the runtime need them. */
#ifndef HETERO_SLOTS_H
#define HETERO_SLOTS_H

#include "hetero/runtime.h"

/* Nobody holds a region's lock, or that of its file, for more than moments. Who waits as long as this is in a region that somebody
 * has damaged, or beside a process that was stopped at the wrong moment. */
#define HETERO_LOCK_WAIT_MS 50
#ifndef HETERO_LOCK_WAITS
#define HETERO_LOCK_WAITS 200
#endif

/* This process' slot if it has joined. */
struct hetero_region_slot *hetero_slot_mine(void);

/* Frees the slots of dead processes, with the region's lock taken for it. Returns how many. */
unsigned hetero_slots_bury(struct hetero_region *region);

/* True when the thread that claimed it is gone, or when nobody ever did. */
bool hetero_claim_ended(const struct hetero_claim *claim);

/* The process changes the ledger of this slot from now on; and what is to be done in a forked child. */
void hetero_memory_begin(const struct hetero_region *region, unsigned slot);
void hetero_memory_forked(void);

#endif
