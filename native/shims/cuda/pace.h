/*
 * What stands before every launch, whichever call makes it. Almost all launches pass here, inlined and without a call; the
 * others are paced by pace.c.
 */
#ifndef HETERO_SHIM_PACE_H
#define HETERO_SHIM_PACE_H

#include "capture.h"
#include "current.h"
#include "estimate.h"
#include "samples.h"

/* Without a limit: nothing to do until the next launch that is observed. */
static inline bool pace_free(void)
{
	if (current.left <= 1)
		return false;
	current.left--;
	return true;
}

/* With a limit: a known kind, whose turn to be measured it is not, and time enough drawn. The count of launches may lose some
 * when threads launch the same kind at once, which only moves a sample. */
static inline bool pace_paid(uint64_t key)
{
	struct estimate *row = estimate_peek(key);
	if (!current.drawn || !row || capture_any())
		return false;
	int64_t ns = atomic_load_explicit(&row->ns, memory_order_relaxed);
	uint32_t until = atomic_load_explicit(&row->until, memory_order_relaxed);
	if (!ns || until <= 1 || atomic_load_explicit(current.drawn, memory_order_relaxed) < ns)
		return false;
	atomic_store_explicit(&row->until, until - 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(current.drawn, ns, memory_order_relaxed);
	return true;
}

/* A launch that was let through the slow way. */
struct paced {
	CUstream stream;
	bool per_thread;       /* which default stream a NULL stream stands for */
	struct sample *sample; /* NULL when it is not measured */
	unsigned position;     /* of the device in the slice */
	int64_t charged;       /* ns, in advance */
};

/*
 * Waits while the slice's time is overdrawn and charges the launch. `sparing`: events around it would cost the program an
 * overlap of its kernels, so only what is needed to know its kind is measured.
 */
struct paced pace_before(uint64_t key, CUstream stream, bool per_thread, bool sparing);

/* Call it as soon as the driver has answered; returns that answer. */
CUresult pace_after(const struct paced *paced, CUresult result);

#endif
