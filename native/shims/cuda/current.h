/*
 * What a thread knows of the device that it launches on, so that a launch looks nothing up. Kept until the thread's context or
 * the slice's limits change (current.c).
 */
#ifndef HETERO_SHIM_CURRENT_H
#define HETERO_SHIM_CURRENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

struct current {
	uint64_t seen;           /* the region's limits_changed when the rest was looked up; CURRENT_UNKNOWN: not yet */
	uint32_t left;           /* without a limit: launches until the next one that is observed */
	uint32_t every;          /* what `left` was last set to */
	uint64_t observed_ns;    /* CLOCK_MONOTONIC of then */
	unsigned position;       /* of the device in the slice */
	_Atomic int64_t *drawn;  /* with a limit: what this process has drawn there; NULL without */
};

#define CURRENT_UNKNOWN UINT64_MAX

extern _Thread_local struct current current __attribute__((tls_model("initial-exec")));

/* The region's count of changes; of nothing until a region is there. */
extern const _Atomic uint32_t *current_changes;

static inline bool current_holds(void)
{
	return atomic_load_explicit(current_changes, memory_order_relaxed) == current.seen;
}

/* False when the thread has no context, or its device is no part of the slice: then nothing limits it. */
bool current_look_up(struct hetero_region *region);

/* Counts what this thread launched, without a limit, since it was last observed. */
void current_settle(struct hetero_region *region);

/* The context of this thread may be another from now on. */
void current_forget(void);

#endif
