/*
 * How programs find the driver's functions: dlsym, dlvsym, cuGetProcAddress. Each asks the real one first, and only the
 * pointer that comes back is looked at: where it is a function that hetero intercepts, the caller gets the wrapper. So
 * version, flags, handle and errors are the driver's and the C library's own. The functions of the loader are among those
 * names, so that nobody gets round us by looking for dlsym itself.
 *
 * What remains: dlmopen gives a library a C library of its own, whose dlsym is not ours, and a driver where it needs one.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "resolve.h"

const struct interception interceptions[] = {
#include "interceptions.inc"
};
#define INTERCEPTIONS (sizeof interceptions / sizeof *interceptions)
const size_t interception_count = INTERCEPTIONS;
_Static_assert(INTERCEPTIONS <= INTERCEPTIONS_MOST, "make INTERCEPTIONS_MOST larger");

void *interception_real(const struct interception *row)
{
	const void *const tables[] = {[CUDA] = row->library == CUDA ? cuda_real() : NULL,
				      [NVML] = row->library == NVML ? nvml_real() : NULL,
				      [LOADER] = loader_real()};
	return *(void *const *)((const char *)tables[row->library] + row->place);
}

static int by_symbol(const void *symbol, const void *row)
{
	return strcmp(symbol, ((const struct interception *)row)->symbol);
}

const struct interception *interception_of(const char *symbol)
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
		void *function = interceptions[i].library == CUDA ? interception_real(&interceptions[i]) : NULL;
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
		if (interception_real(buckets[bucket]) == function)
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
	return found && found == interception_real(row) ? row->wrapper : found;
}

/*
 * The C library answers relative to its caller (RTLD_NEXT, and the search path of a library), so it must see the caller's
 * own return address: it is left to by a jump. A compiler that can promise one does; of the others the build asks for
 * it (CMakeLists.txt).
 */
#if defined __has_attribute && __has_attribute(musttail)
#define JUMP __attribute__((musttail)) return
#else
#define JUMP return
#endif

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

/*
 * The name's row when somebody stands before it in this process. Limits are read for such a name alone: a program's own malloc
 * may look for the C library's, and reading takes memory.
 */
static const struct interception *interesting(const char *symbol)
{
	if (!symbol)
		return NULL;
	deepbind_settle();
	const struct interception *row = interception_of(symbol);
	return row && slice_limits() ? row : NULL;
}

/*
 * What a library that was opened later needs may have been loaded before it. Then nothing after it has the name, and the C
 * library, which searches what it needs, would find the driver's function or its own.
 */
static bool is_there(const struct interception *row)
{
	return row->library == LOADER || (row->library == CUDA ? cuda_loaded() : nvml_loaded());
}

static void *next_of(const struct interception *row, const void *caller)
{
	void *found = next_after(caller, row->symbol);
	return !found && is_there(row) ? row->wrapper : intercept(row, found);
}

EXPORT void *dlsym(void *restrict handle, const char *restrict symbol)
{
	void *(*real)(void *, const char *) = loader_real()->dlsym;
	const struct interception *row = interesting(symbol);
	if (__builtin_expect(!row, 1))
		JUMP real(handle, symbol);
	void *found = handle == RTLD_NEXT ? next_of(row, CALLER) : intercept(row, real(handle, symbol));
	if (!found && handle == RTLD_NEXT)
		JUMP real(handle, symbol); /* which says what is wrong */
	return found;
}

EXPORT void *dlvsym(void *restrict handle, const char *restrict symbol, const char *restrict version)
{
	void *(*real)(void *, const char *, const char *) = loader_real()->dlvsym;
	const struct interception *row = interesting(symbol);
	if (__builtin_expect(!row, 1))
		JUMP real(handle, symbol, version);
	void *found = handle == RTLD_NEXT ? next_of(row, CALLER) : intercept(row, real(handle, symbol, version));
	if (!found && handle == RTLD_NEXT)
		JUMP real(handle, symbol, version);
	return found;
}

/* Where the library lies is not looked for when its name is a path: then it does not matter who asks for it. */
static bool is_path(const char *file)
{
	return file && strchr(file, '/');
}

EXPORT void *dlopen(const char *file, int mode)
{
	void *(*real)(const char *, int) = loader_real()->dlopen;
	if (__builtin_expect(!(mode & RTLD_DEEPBIND), 1) || !slice_limits())
		JUMP real(file, mode);
	deepbind_expect();
	void *opened = is_path(file) ? real(file, mode) : NULL;
	if (!opened)
		JUMP real(file, mode); /* it is settled when one of its functions is looked for */
	deepbind_settle();
	return opened;
}

static bool is_library(const char *file, const char *name)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	return file && strncmp(slash ? slash + 1 : file, name, strlen(name)) == 0;
}

static bool is_driver(const char *file)
{
	return is_library(file, "libcuda.so") || is_library(file, "libnvidia-ml.so");
}

/*
 * A driver in a namespace of its own would be a second one, whose functions nobody knows: it is opened where the others
 * are. Other libraries come into their namespace, and so does a driver that only their own search path finds.
 */
EXPORT void *dlmopen(Lmid_t space, const char *file, int mode)
{
	void *(*real)(Lmid_t, const char *, int) = loader_real()->dlmopen;
	bool apart = space != LM_ID_BASE && is_driver(file) && slice_limits();
	void *opened = apart ? loader_real()->dlopen(file, mode) : NULL;
	if (opened || !real)
		return opened;
	JUMP real(space, file, mode);
}
