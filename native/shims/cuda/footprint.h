/*
 * What the driver takes of a device for itself: for contexts, for the variables of modules and libraries, for the local memory
 * of threads. It does not say how much, so the process' use is read before and after (footprint.c).
 */
#ifndef HETERO_SHIM_FOOTPRINT_H
#define HETERO_SHIM_FOOTPRINT_H

#include "shim.h"

/* What this process uses of a device, less what is charged for it, at one moment. */
struct footprint {
	CUdevice device;
	unsigned position;
	bool own_seen;      /* the driver lists this process */
	int64_t own, card;  /* bytes of this process; of everybody, where the process is not listed */
};

/* What is loaded on a device is loaded one after the other, from here to the end: so it is known whose it is. */
struct footprint footprint_begin(CUdevice device);
void footprint_end(const struct footprint *before);

/*
 * Charges what the device lost since `before` for a thing (a module, a library, the context itself) in a context. False
 * when the slice has no room for it: then it is owed, unless the caller unloads and forgets it.
 */
bool footprint_charge(const struct footprint *before, const void *thing, CUcontext context);

enum footprint_state {
	FOOTPRINT_NONE, /* not loaded there */
	FOOTPRINT_OWED, /* loaded, and there is no room for it */
	FOOTPRINT_PAID,
};

/* Of a thing in a context; one that is owed is paid for as soon as there is room. */
enum footprint_state footprint_of(const void *thing, CUcontext context);

/* True when the thing is loaded in some other context. */
bool footprint_elsewhere(const void *thing, CUcontext context);

/* The local memory of a context comes to `bytes` beyond what it began with, `grown` more than before. False: no room. */
bool footprint_local(CUcontext context, unsigned position, uint64_t bytes, uint64_t *grown);
void footprint_local_undo(CUcontext context, uint64_t grown);

/* Gives back what was charged: for a thing in all contexts; for all things of a context. */
void footprint_forget(const void *thing);
void footprint_forget_context(CUcontext context);

/* Where a context is charged; false when it is not. */
bool footprint_position(CUcontext context, unsigned *position);

/* The current context and its device, where the slice limits that device's memory; elsewhere there is nothing to measure. */
bool footprint_context(CUcontext *context, CUdevice *device);

/* Primary contexts that are there no more are paid for no more (context.c). */
void context_primaries_settle(void);

/* True while some context of the process on that device is charged. */
bool footprint_any_context(unsigned position);

#endif
