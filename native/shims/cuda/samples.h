/* Launches that are being measured, each with a pair of events in its own stream (samples.c). */
#ifndef HETERO_SHIM_SAMPLES_H
#define HETERO_SHIM_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

enum sample_state {
	SAMPLE_FREE = 0,
	SAMPLE_LENT,     /* with the launching thread: nobody else touches it */
	SAMPLE_RECORDED, /* both events are in the stream: its end may be asked for */
};

struct sample {
	enum sample_state state;
	CUevent start, end;
	uint64_t key;      /* the kind of kernel, for the estimates */
	unsigned position; /* of the device in the slice */
	unsigned weight;   /* launches that it stands for where there is no limit; else 0 */
};

/*
 * All of these keep to the one lock of the samples and the estimates. It is held for a few driver calls that do not
 * wait, never for a launch or a sleep. While it is held the thread may make such calls beside a capture of its own.
 */
void samples_lock(void);
void samples_unlock(void);

/* With the lock held: a sample to record around a launch, or NULL when there is no place or no event. */
struct sample *samples_begin(uint64_t key, unsigned position, unsigned weight);

/* With the lock held: both events are recorded, or the launch failed and there is nothing to measure. */
void samples_end(struct sample *sample, bool recorded);

/* With the lock held: charges what the samples that ended meanwhile tell. */
void samples_collect(struct hetero_region *region);

/* Where there is no limit: one launch in so many is measured and stands for the others. */
unsigned samples_observe_every(void);

/* Before a context ends: its events go with it, and must not be asked for afterwards. */
void samples_forget(void);

#endif
