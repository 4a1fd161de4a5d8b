/*
 * The shim between a program and the CUDA driver: what its files share.
 *
 * The exported functions are generated (wrappers.inc): outside a slice they only pass on, inside they call the hooks, which
 * are written by hand in memory.c, context.c, query.c, launch.c, resolve.c and nvml.c.
 */
#ifndef HETERO_SHIM_CUDA_H
#define HETERO_SHIM_CUDA_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda_abi.h"
#include "hetero/runtime.h"
#include "nvml_abi.h"

#include "reals.h"

#include "hooks.h"

#define EXPORT __attribute__((visibility("default")))
#define UUID_TEXT 41 /* "GPU-" and 36 characters, and the end */

/* The C library's own functions whose names are ours in this process (libc.c). */
struct loader_real {
	void *(*dlopen)(const char *, int);
	void *(*dlsym)(void *, const char *);
	void *(*dlvsym)(void *, const char *, const char *);
	void *(*dlmopen)(long, const char *, int); /* NULL where the C library has none */
};

const struct loader_real *loader_real(void);

/* The driver's own functions (loader.c), opened on the first call; NULL pointers where it has none. */
const struct cuda_real *cuda_real(void);
const struct nvml_real *nvml_real(void);

/* True when this process has the library already: asking loads nothing. */
bool cuda_loaded(void);
bool nvml_loaded(void);

/* The same without a look whether it is opened: for what is only called through a wrapper that was called before. */
extern struct cuda_real cuda_table;

/* The wrapper for a driver's function, or the function itself when it is not intercepted (resolve.c). */
void *wrapper_of(void *function);

/* True when this process is in a slice (slice.c). */
bool slice_limits(void);

/* The slice's region; NULL when it cannot be opened: then memory is refused and compute not limited. */
struct hetero_region *slice_region(void);

/* Position of a device in the slice; HETERO_DEVICES when it is no part of it. */
unsigned slice_device(CUdevice device);

/* True when the region says which device is which; otherwise position i is the i-th device that the program sees. */
bool slice_has_identities(void);

/* The position of a device known by its identity; HETERO_DEVICES when it is no part of the slice. */
unsigned slice_device_by_uuid(const char *uuid);

/* The same for a device as the management library knows it (visible.c). */
unsigned slice_device_by_handle(nvmlDevice_t device);

/* Spells a UUID as drivers do; `text` has room for UUID_TEXT. */
void uuid_spell(const CUuuid *uuid, char *text);

/* Position of the calling thread's device; false without a context. */
bool slice_current_device(unsigned *position);

/* Reserve and release on a position; reserving fails when there is no region. */
bool slice_reserve(unsigned position, uint64_t bytes);
void slice_release(unsigned position, uint64_t bytes);

/* Counts it when the driver has no memory for what there was room for; returns its answer. */
CUresult slice_answered(unsigned position, CUresult result);

/* What a program may know of a device's memory: the lesser of slice and card. All of it, and what is free as well. */
uint64_t slice_total(unsigned position, uint64_t card);
void slice_view(unsigned position, uint64_t *free_bytes, uint64_t *total);

#include "charges.h"

/* A context of the device has ended, and what was allocated in it with it (memory.c); `last`: the process has no other there. */
void memory_context_ended(unsigned position, bool last);

#endif
