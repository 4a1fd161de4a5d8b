/*
 * How long a kernel takes: predicted from what was measured of its kind (estimate.c).
 *
 * A kind is a function with its geometry, or a graph. The first three fields of its row are read and written on the
 * way of every launch, without a lock; all others keep to the lock of the samples.
 */
#ifndef HETERO_SHIM_ESTIMATE_H
#define HETERO_SHIM_ESTIMATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ESTIMATE_WINDOW 32
#define ESTIMATE_ROWS 4096u /* a power of two */
/* From here on the delay with which the host launches on an idle stream does not matter: it was 25 us around an empty kernel
 * (H100, driver 580). */
#define ESTIMATE_EXACT_NS 500000

struct estimate {
	_Alignas(64) _Atomic uint64_t key; /* 0 is an empty row */
	_Atomic int64_t ns;                /* predicted; 0 until measured */
	_Atomic uint32_t until;            /* launches until the next one that is measured; 0 and 1: that is this one */
	uint32_t every;                    /* what `until` was last set to */
	uint64_t turned_ns;                /* CLOCK_MONOTONIC of the last one that was to be measured */
	uint32_t since;                    /* launches since the last one that is measured */
	uint32_t samples;                  /* measured so far */
	uint32_t unsettled;                /* launched before the first measurement, charged nothing */
	uint32_t awaited;                  /* samples whose end has not been seen */
	uint32_t held;                     /* of `recent`, up to the window */
	unsigned position;                 /* of the device in the slice on which it last ran */
	bool alone;                        /* `recent` was measured while nobody else was on the device */
	bool exact;                        /* ...behind other work, so that the start is the kernel's own */
	bool varies;                       /* from launch to launch */
	bool surprised;                    /* the last one was unlike the prediction: the next is measured, too */
	uint32_t chases;                   /* how many more in a row may be measured for that */
	uint32_t longer;                   /* samples in a row that were longer than predicted */
	uint32_t underpaid;                /* launches that these stand for */
	uint32_t overpaid;                 /* launches charged what is predicted now */
	uint32_t weight;                   /* samples in the mean */
	double mean_ns;
	int64_t recent[ESTIMATE_WINDOW];
};

extern struct estimate estimates[ESTIMATE_ROWS];

/* A measurement, and what else is known of it. */
struct measurement {
	int64_t ns;      /* > 0 */
	int64_t charged; /* for this launch, in advance */
	uint32_t launches; /* that it stands for: this one, and those of its kind since the one measured before; at least 1 */
	uint32_t others; /* processes on the device beside this one */
	bool exact;      /* it ran behind other work, or for so long that its start does not matter */
};

/*
 * A kind of kernel, of what a launch has in registers: the blocks' third size hardly ever differs by itself. Three products that
 * do not wait for each other; the upper bits of their sum are the row.
 */
static inline uint64_t estimate_key(uint64_t function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
				    unsigned int block_x, unsigned int block_y)
{
	uint64_t key = (function + ((uint64_t)grid_z << 48)) * 0x9E3779B97F4A7C15u;
	key += ((uint64_t)grid_x << 32 | grid_y) * 0xC2B2AE3D27D4EB4Fu;
	return key + ((uint64_t)block_x << 32 | block_y) * 0x165667B19E3779F9u;
}

static inline struct estimate *estimate_first(uint64_t key)
{
	return &estimates[key >> 52];
}

/* The row of a kind where it is found at once; NULL means no more than that. */
static inline struct estimate *estimate_peek(uint64_t key)
{
	struct estimate *row = estimate_first(key);
	if (atomic_load_explicit(&row->key, memory_order_relaxed) == key)
		return row;
	row = &estimates[(key >> 52) ^ 1];
	return atomic_load_explicit(&row->key, memory_order_relaxed) == key ? row : NULL;
}

/* Row of a kind of kernel, made where there is none; a full table reuses the row of another kind. */
struct estimate *estimate_of(uint64_t key);

/* What a kind that was never measured is expected to take, ns: a graph by its kernels. */
void estimate_expect(uint64_t key, int64_t ns);

/* Nothing is known any more: a graph was changed, or is gone. */
void estimate_forget(uint64_t key);

/* Counts a launch. True for the first ones of a kind, every one of a long kernel, one in some of a short one, and
 * one that comes long after the last. */
bool estimate_turn(struct estimate *estimate, uint64_t now);

/* Launches counted by the fast path since the last turn. */
uint32_t estimate_passed(const struct estimate *estimate);

/* Returns what to charge for a launch, 0 while nothing is known. */
int64_t estimate_charge(struct estimate *estimate);

/* What is predicted, less what it waited for a peer as far as some runs did not. */
int64_t estimate_undisturbed(const struct estimate *estimate);

/* False while `ahead` launches are queued, none has been measured, and one is about to be. */
bool estimate_suffices(const struct estimate *estimate, uint32_t ahead);

/* Takes a measurement in; returns the device time still owed for launches charged too little (or, negative, too much). */
int64_t estimate_learn(struct estimate *estimate, const struct measurement *measurement);

#endif
