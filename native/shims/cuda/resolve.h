/* The names that hetero stands before, as the files that look for functions share them. */
#ifndef HETERO_SHIM_RESOLVE_H
#define HETERO_SHIM_RESOLVE_H

#include "shim.h"

#define INTERCEPTIONS_MOST 512

enum library { CUDA, NVML, LOADER };

struct interception {
	const char *symbol;
	void *wrapper;
	enum library library;
	size_t place; /* of the driver's or the C library's own function in its table */
};

extern const struct interception interceptions[]; /* sorted by symbol */
extern const size_t interception_count;

/* NULL when nothing stands before the name. */
const struct interception *interception_of(const char *symbol);

/* The function that the wrapper stands before; opens the driver when nobody has yet. */
void *interception_real(const struct interception *row);

/* From now on objects may be loaded that look for functions in their own libraries first (deepbind.c). */
void deepbind_expect(void);

/* Puts the wrappers into such objects. Costs one load in a process that has none. */
void deepbind_settle(void);

#endif
