/* Changes of what a slot holds of a device, together with the sum of all slots; see ledger.c. */
#ifndef HETERO_LEDGER_H
#define HETERO_LEDGER_H

#include "hetero/runtime.h"

/* Number of the last change of a slot that has taken effect; 0: none yet. Exact while nobody changes that slot. */
uint64_t hetero_ledger_number(const struct hetero_region *region, unsigned slot, unsigned device);

/*
 * The slot holds `bytes` more. `number` is the caller's last change of this slot and is counted up. False, and nothing
 * is changed, when the device's limit would be exceeded, or when others have taken the slot for dead meanwhile.
 */
bool hetero_ledger_grow(struct hetero_region *region, unsigned slot, unsigned device, uint64_t bytes, uint64_t *number);

/* The slot holds `bytes` less, though never less than nothing. Also a change when there is nothing to give back. */
bool hetero_ledger_shrink(struct hetero_region *region, unsigned slot, unsigned device, uint64_t bytes,
			  uint64_t *number);

#endif
