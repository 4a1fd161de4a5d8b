/* Every way to get device memory, and its counterpart. */
#ifndef HETERO_PROGRAMS_PATHS_H
#define HETERO_PROGRAMS_PATHS_H

#include "common.h"

struct paths_api {
	const char *name;
	CUresult (*allocate)(CUdeviceptr *out, size_t bytes); /* `out` is whatever the counterpart needs */
	CUresult (*release)(CUdeviceptr held, size_t bytes);
	bool old; /* it needs a context made by cuCtxCreate of before CUDA 3.2 */
};

extern const struct paths_api paths[];
extern const size_t paths_count;

/* NULL when there is none of that name. */
const struct paths_api *paths_find(const char *name);

#endif
