/*
 * cuGetProcAddress: which symbol a name stands for, to a program that was built
 * for some version of the API.
 *
 * A name has a family of symbols (v1, _v2, ..., each with a per-thread form).
 * The one returned is the newest whose version is not above the one asked for; a
 * program that asks for per-thread default streams gets that one's per-thread
 * form, if it has one.
 */
#include "driver.h"
#include "sim_names.h"

#include <string.h>

struct wish {
	const char *base;
	int version;
	bool per_thread;
};

/* Newer symbols win; among those of one version, the form of the stream that was asked for. */
static bool better(const struct sim_name *name, const struct sim_name *best, bool per_thread)
{
	if (name->per_thread && !per_thread)
		return false;
	if (!best || name->since != best->since)
		return !best || name->since > best->since;
	return name->per_thread && !best->per_thread;
}

static const struct sim_name *find(const struct wish *wish, bool *known)
{
	const struct sim_name *best = NULL;
	for (size_t i = 0; i < sim_name_count; i++) {
		const struct sim_name *name = &sim_names[i];
		if (strcmp(name->base, wish->base) != 0)
			continue;
		*known = true;
		if (name->since <= wish->version && better(name, best, wish->per_thread))
			best = name;
	}
	return best;
}

static CUresult resolve(const char *symbol, void **address, int version, cuuint64_t flags,
			CUdriverProcAddressQueryResult *status)
{
	const cuuint64_t known_flags =
		CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	if (!symbol || !address || (flags & ~known_flags))
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
