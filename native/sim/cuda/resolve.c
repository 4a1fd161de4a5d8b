/*
 * cuGetProcAddress: which symbol a name stands for, to a program that was built for some version of the API.
 *
 * A name has a family of symbols: v1, _v2, ..., and the forms of those for the per-thread default stream. The one returned is the
 * newest whose version is not above the one asked for. A program that asks for per-thread default streams gets one of
 * those forms where the name has any, even if that means none at all in an old version; other names are not affected.
 * A version above the driver's is an error and leaves the status as it was.
 *
 * Source: answers of a driver of CUDA 13.0 (580.159.04) to all names, 34 versions and three flags, 2026-11-27.
 */
#include "driver.h"
#include "sim_names.h"

#include <string.h>

struct wish {
	const char *base;
	int version;
	bool per_thread;
};

static bool in_family(const struct sim_name *name, const struct wish *wish)
{
	return name->since <= driver_version() && strcmp(name->base, wish->base) == 0;
}

static bool has_per_thread_form(const struct wish *wish)
{
	for (size_t i = 0; i < sim_name_count; i++)
		if (sim_names[i].per_thread && in_family(&sim_names[i], wish))
			return true;
	return false;
}

static const struct sim_name *find(const struct wish *wish, bool *known)
{
	const struct sim_name *best = NULL;
	bool per_thread = wish->per_thread && has_per_thread_form(wish);
	for (size_t i = 0; i < sim_name_count; i++) {
		const struct sim_name *name = &sim_names[i];
		if (!in_family(name, wish))
			continue;
		*known = true;
		if (name->per_thread == per_thread && name->since <= wish->version && (!best || name->since > best->since))
			best = name;
	}
	return best;
}

static CUresult resolve(const char *symbol, void **address, int version, cuuint64_t flags,
			CUdriverProcAddressQueryResult *status)
{
	const cuuint64_t known_flags =
		CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	if (!symbol || !address || (flags & ~known_flags) || version > driver_version())
		return CUDA_ERROR_INVALID_VALUE;
	struct wish wish = {.base = symbol, .version = version,
			    .per_thread = flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM};
	bool known = false;
	const struct sim_name *found = find(&wish, &known);
	*address = found ? (void *)found->address : NULL;
	if (status)
		*status = found   ? CU_GET_PROC_ADDRESS_SUCCESS
			  : known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
				  : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	return CUDA_SUCCESS;
}

/* With a status the caller learns there what was wrong; without one it learns by the result. */
SIM_EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **address, int version, cuuint64_t flags,
					CUdriverProcAddressQueryResult *status)
{
	CUresult result = resolve(symbol, address, version, flags, status);
	return result == CUDA_SUCCESS && !status && !*address ? CUDA_ERROR_NOT_FOUND : result;
}

SIM_EXPORT CUresult cuGetProcAddress(const char *symbol, void **address, int version, cuuint64_t flags)
{
	return cuGetProcAddress_v2(symbol, address, version, flags, NULL);
}
