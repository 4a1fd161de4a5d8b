/* Launches that are being measured, each with events in its own stream (samples.c). */
#ifndef HETERO_SHIM_SAMPLES_H
#define HETERO_SHIM_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

enum sample_state {
	SAMPLE_FREE = 0,
	SAMPLE_LENT,     /* with the launching thread: nobody else touches it */
	SAMPLE_RECORDED, /* its events are in the stream: its end may be asked for */
};

struct sample {
	enum sample_state state;
	CUevent before, start, end; /* `before` right before `start`, if it is thorough: what a pair measures of itself */
	uint64_t key;               /* the kind of kernel, for the estimates */
	CUcontext context;          /* that its events belong to */
	int64_t charged;            /* ns, in advance */
	uint32_t launches;          /* of its kind that it stands for: itself, and those since the sample before */
	uint64_t launched_ns;       /* CLOCK_MONOTONIC after the start was recorded; then how long the launch took */
	unsigned position;          /* of the device in the slice */
	unsigned weight;            /* launches of any kind that it stands for where there is no limit; else 0 */
	bool behind;                /* other work was queued before it */
	bool started, thorough;
};

/*
 * All of these keep to the one lock of the samples and the estimates. It is held for a few driver calls that do not
 * wait, never for a launch or a sleep. While it is held the thread may make such calls beside a capture of its own.
 */
void samples_lock(void);
void samples_unlock(void);

/* With the lock held: whether there is a place for another; and a sample to record around a launch, or NULL when there is no
 * place or no event. */
bool samples_left(void);
struct sample *samples_begin(uint64_t key, unsigned position, unsigned weight);

/* Without the lock: right before and right after the launch, by the thread that it is lent to. */
void sample_start(struct sample *sample, CUstream stream, bool per_thread);
bool sample_stop(struct sample *sample, CUstream stream, bool per_thread);

/* With the lock held: its events are recorded, or the launch failed and there is nothing to measure. */
void samples_end(struct sample *sample, bool recorded);

/* With the lock held: charges what the samples that ended meanwhile tell. */
void samples_collect(struct hetero_region *region);

/* What launches that are being measured and have not been seen to end were charged, ns. */
int64_t samples_in_flight(unsigned position);

/* Before a context ends: its events go with it, and must not be asked for afterwards. */
void samples_forget(void);

#endif
