/* Which streams are being captured: what is queued there becomes a graph's nodes and runs nothing (capture.c). */
#ifndef HETERO_SHIM_CAPTURE_H
#define HETERO_SHIM_CAPTURE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cuda_abi.h"

/* Captures under way in this process, or more: one whose stream was destroyed is not seen to end. */
extern _Atomic int captures_under_way;

/* False when no stream of this process is being captured. One load, for the hot path. */
static inline bool capture_any(void)
{
	return atomic_load_explicit(&captures_under_way, memory_order_relaxed) > 0;
}

/*
 * True when work queued in this stream runs nothing now; also when the driver does not say, for then the stream is
 * not to be touched. `per_thread` tells which default stream NULL stands for. The driver is asked only while
 * something is captured.
 */
bool capture_of(CUstream stream, bool per_thread);

#endif
