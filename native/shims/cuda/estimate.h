/* How long a kernel takes: predicted from what was measured of its kind (estimate.c). */
#ifndef HETERO_SHIM_ESTIMATE_H
#define HETERO_SHIM_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

/* The least of the last runs: a run that waited for another tenant measures longer, never shorter. */
#define ESTIMATE_WINDOW 8

struct estimate {
	uint64_t key;       /* function and geometry; 0 is an empty row */
	int64_t ns;         /* predicted; 0 until measured */
	int64_t recent[ESTIMATE_WINDOW];
	uint32_t samples;   /* measured so far */
	uint32_t launches;  /* seen so far */
	uint32_t unsettled; /* launched before the first measurement, charged nothing */
	uint32_t awaited;   /* samples whose end has not been seen */
};

/* Row of a kind of kernel; a full table reuses the row of another kind. */
struct estimate *estimate_of(uint64_t key);

/* True for the first launches of a kind, for one in some after them, and for those after one that was unlike the prediction. */
bool estimate_wants_sample(const struct estimate *estimate);

/* Counts a launch; returns what to charge for it, 0 while nothing is known. */
int64_t estimate_charge(struct estimate *estimate);

/* False while `ahead` launches are queued, none has been measured, and one is about to be. */
bool estimate_suffices(const struct estimate *estimate, uint32_t ahead);

/* Takes a measurement (> 0) in; returns the device time still owed for launches charged too little (or, negative, too much). */
int64_t estimate_learn(struct estimate *estimate, int64_t measured_ns);

#endif
