/*
 * How programs find the driver's functions: dlsym, dlvsym, cuGetProcAddress. Each asks the real one first, and only the pointer
 * that comes back is looked at: where it is a function that hetero intercepts, the caller gets the wrapper. So version,
 * flags, handle and errors are the driver's and the C library's own.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

enum library { CUDA, NVML };

struct interception {
	const char *symbol;
	void *wrapper;
	enum library library;
	size_t place; /* of the driver's own function in its table */
};

/* Sorted by symbol. */
static const struct interception interceptions[] = {
#include "interceptions.inc"
};
#define INTERCEPTIONS (sizeof interceptions / sizeof *interceptions)

static void *real_of(const struct interception *row)
{
	const char *table = row->library == CUDA ? (const char *)cuda_real() : (const char *)nvml_real();
	return *(void *const *)(table + row->place);
}

static int by_symbol(const void *symbol, const void *row)
{
	return strcmp(symbol, ((const struct interception *)row)->symbol);
}

static const struct interception *row_of(const char *symbol)
{
	return bsearch(symbol, interceptions, INTERCEPTIONS, sizeof *interceptions, by_symbol);
}

/* Pointers of the driver's tables, in a hash that is full at a half: one probe for nearly every pointer. */
#define BUCKETS 1024
_Static_assert(INTERCEPTIONS * 2 <= BUCKETS, "make BUCKETS larger");

static const struct interception *buckets[BUCKETS];

static unsigned bucket_of(const void *function)
{
	return (unsigned)(((uintptr_t)function >> 4) * 0x9E3779B97F4A7C15u >> 32) % BUCKETS;
}

static void fill_buckets(void)
{
	for (size_t i = 0; i < INTERCEPTIONS; i++) {
		void *function = interceptions[i].library == CUDA ? real_of(&interceptions[i]) : NULL;
		unsigned bucket = bucket_of(function);
		while (buckets[bucket])
			bucket = (bucket + 1) % BUCKETS;
		if (function)
			buckets[bucket] = &interceptions[i];
	}
}

/* Only the driver API is resolved by pointer: NVML has no cuGetProcAddress. */
void *wrapper_of(void *function)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, fill_buckets);
	for (unsigned bucket = bucket_of(function); buckets[bucket]; bucket = (bucket + 1) % BUCKETS)
		if (real_of(buckets[bucket]) == function)
			return buckets[bucket]->wrapper;
	return function;
}

CUresult hook_get_proc_address(CUresult (*real)(const char *, void **, int, cuuint64_t), const char *symbol,
			       void **function, int version, cuuint64_t flags)
{
	CUresult result = real(symbol, function, version, flags);
	if (result == CUDA_SUCCESS && function && *function)
		*function = wrapper_of(*function);
	return result;
}

CUresult hook_get_proc_address_v2(CUresult (*real)(const char *, void **, int, cuuint64_t,
						   CUdriverProcAddressQueryResult *),
				  const char *symbol, void **function, int version, cuuint64_t flags,
				  CUdriverProcAddressQueryResult *status)
{
	CUresult result = real(symbol, function, version, flags, status);
	if (result == CUDA_SUCCESS && function && *function)
		*function = wrapper_of(*function);
	return result;
}

/* A function that some other library defines under the same name stays its own. */
static void *intercept(const struct interception *row, void *found)
{
	return found && found == real_of(row) ? row->wrapper : found;
}

/*
 * RTLD_NEXT is answered relative to the caller, so the C library must see the caller's own return address: it is left to by a
 * jump. A compiler that can promise one does; of the others the build asks for it (CMakeLists.txt).
 */
#if defined __has_attribute && __has_attribute(musttail)
#define JUMP __attribute__((musttail)) return
#else
#define JUMP return
#endif

static const struct interception *interesting(void *handle, const char *symbol)
{
	return symbol && handle != RTLD_NEXT && slice_limits() ? row_of(symbol) : NULL;
}

EXPORT void *dlsym(void *restrict handle, const char *restrict symbol)
{
	void *(*real)(void *, const char *) = libc_dlsym();
	const struct interception *row = interesting(handle, symbol);
	if (__builtin_expect(!row, 1))
		JUMP real(handle, symbol);
	return intercept(row, real(handle, symbol));
}

EXPORT void *dlvsym(void *restrict handle, const char *restrict symbol, const char *restrict version)
{
	void *(*real)(void *, const char *, const char *) = libc_dlvsym();
	const struct interception *row = interesting(handle, symbol);
	if (__builtin_expect(!row, 1))
		JUMP real(handle, symbol, version);
	return intercept(row, real(handle, symbol, version));
}
