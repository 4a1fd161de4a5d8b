/* What the files of the allocating calls share: room in the slice, and memory by its address (memory.c). */
#ifndef HETERO_SHIM_MEMORY_H
#define HETERO_SHIM_MEMORY_H

#include "shim.h"

/*
 * Room in the slice. Where there seems to be none, what the driver has given back to the device since is looked for
 * first: pools shrink, and exported memory ends, without a call that could be seen.
 */
bool room_reserve(unsigned position, uint64_t bytes);

/* Brings what is charged for pools and exported memory down to what they hold; true when that made room. */
bool memory_settle(unsigned position);
bool pools_settle(unsigned position);  /* pools.c */
bool virtual_settle(unsigned position); /* virtual.c */
bool graphs_settle(unsigned position);  /* graph_memory.c */

/* In a forked child, which has none of its parent's memory; the locks were in whatever state. */
void memory_in_child(void);
void arrays_in_child(void);
void pools_in_child(void);
void virtual_in_child(void);
void sparse_in_child(void);
void graphs_in_child(void);

/* The arrays of a device are gone with their contexts (arrays.c). */
void arrays_drop(unsigned position);

/*
 * Physical memory that something else than an address refers to (virtual.c): the pin, to be given back, or NULL when it
 * is not charged here.
 */
void *virtual_pin(CUmemGenericAllocationHandle number);
void virtual_unpin(void *pin);

/* What was mapped into an array has lost it (sparse.c). */
void sparse_array_ended(const void *array);
void sparse_context_ended(unsigned position);

/* A pointer out of a pool was freed (pools.c). */
void pool_pointer_freed(void *pool, uint64_t bytes);

#endif
