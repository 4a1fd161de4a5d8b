/*
 * Libraries: images that belong to no context. One takes memory of the device when something of it is first used in a
 * context, which may be in the middle of a launch. So it is loaded there as soon as the program asks for something of it,
 * when that can still be refused.
 *
 * A kernel that was looked up while no context was current is loaded by its launch, and is not charged.
 */
#include <pthread.h>
#include <stdlib.h>

#include "footprint.h"
#include "functions.h"

/* Libraries that were unloaded because there was no room for them; to the program they are still there. */
static struct {
	pthread_mutex_t lock;
	CUlibrary *libraries;
	size_t count;
} gone = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The child of a fork has no libraries. */
static void forget_in_child(void)
{
	pthread_mutex_init(&gone.lock, NULL);
	gone.count = 0;
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, forget_in_child);
}

static void take_lock(void)
{
	static pthread_once_t prepared = PTHREAD_ONCE_INIT;
	pthread_once(&prepared, prepare);
	pthread_mutex_lock(&gone.lock);
}

static bool add_gone(CUlibrary library)
{
	take_lock();
	CUlibrary *larger = realloc(gone.libraries, (gone.count + 1) * sizeof *larger);
	if (larger) {
		gone.libraries = larger;
		larger[gone.count++] = library;
	}
	pthread_mutex_unlock(&gone.lock);
	return larger != NULL;
}

/* True when it was among them; `forget` takes it out. */
static bool is_gone(CUlibrary library, bool forget)
{
	bool found = false;
	take_lock();
	for (size_t i = 0; !found && i < gone.count; i++) {
		found = gone.libraries[i] == library;
		if (found && forget)
			gone.libraries[i] = gone.libraries[--gone.count];
	}
	pthread_mutex_unlock(&gone.lock);
	return found;
}

/* One that another context works with stays, as a debt: whatever is asked of it here is refused until there is room. */
static CUresult refuse(CUlibrary library, CUcontext context)
{
	if (!footprint_elsewhere(library, context) && cuda_real()->cuLibraryUnload && add_gone(library)) {
		cuda_real()->cuLibraryUnload(library);
		footprint_forget(library);
	}
	return CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult load(CUlibrary library, CUcontext context, const struct footprint *before)
{
	CUmodule module;
	if (footprint_of(library, context) != FOOTPRINT_NONE || is_gone(library, false) ||
	    cuda_real()->cuLibraryGetModule(&module, library) != CUDA_SUCCESS)
		return CUDA_SUCCESS; /* another thread was first; or the call that was made will say what is wrong */
	return footprint_charge(before, library, context) ? CUDA_SUCCESS : refuse(library, context);
}

/* Loads the library into the current context, if it is not there yet, and charges what that took. */
static CUresult settle(CUlibrary library)
{
	CUcontext context;
	CUdevice device;
	if (is_gone(library, false))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!cuda_real()->cuLibraryGetModule || !footprint_context(&context, &device))
		return CUDA_SUCCESS;
	if (footprint_of(library, context) == FOOTPRINT_NONE) {
		struct footprint before = footprint_begin(device);
		CUresult result = load(library, context, &before);
		footprint_end(&before);
		if (result != CUDA_SUCCESS)
			return result;
	}
	return footprint_of(library, context) == FOOTPRINT_OWED || is_gone(library, false) ? CUDA_ERROR_OUT_OF_MEMORY
											    : CUDA_SUCCESS;
}

/* The driver may give a new library the handle of one that is gone. */
static CUresult opened(CUresult result, const CUlibrary *library)
{
	if (result == CUDA_SUCCESS)
		is_gone(*library, true);
	return result;
}

CUresult hook_library_load_data(CUresult (*real)(CUlibrary *, const void *, CUjit_option *, void **, unsigned int,
						 CUlibraryOption *, void **, unsigned int),
				CUlibrary *library, const void *code, CUjit_option *jit_options, void **jit_values,
				unsigned int jit_count, CUlibraryOption *options, void **values, unsigned int count)
{
	return opened(real(library, code, jit_options, jit_values, jit_count, options, values, count), library);
}

CUresult hook_library_load_file(CUresult (*real)(CUlibrary *, const char *, CUjit_option *, void **, unsigned int,
						 CUlibraryOption *, void **, unsigned int),
				CUlibrary *library, const char *path, CUjit_option *jit_options, void **jit_values,
				unsigned int jit_count, CUlibraryOption *options, void **values, unsigned int count)
{
	return opened(real(library, path, jit_options, jit_values, jit_count, options, values, count), library);
}

CUresult hook_library_unload(CUresult (*real)(CUlibrary), CUlibrary library)
{
	if (is_gone(library, true))
		return CUDA_SUCCESS;
	CUresult result = real(library);
	if (result == CUDA_SUCCESS)
		footprint_forget(library);
	return result;
}

CUresult hook_library_get_module(CUresult (*real)(CUmodule *, CUlibrary), CUmodule *module, CUlibrary library)
{
	CUresult result = settle(library);
	return result == CUDA_SUCCESS ? real(module, library) : result;
}

CUresult hook_library_get_variable(CUresult (*real)(CUdeviceptr *, size_t *, CUlibrary, const char *),
				   CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
	CUresult result = settle(library);
	return result == CUDA_SUCCESS ? real(address, bytes, library, name) : result;
}

CUresult hook_library_get_unified(CUresult (*real)(void **, CUlibrary, const char *), void **function,
				  CUlibrary library, const char *symbol)
{
	CUresult result = settle(library);
	return result == CUDA_SUCCESS ? real(function, library, symbol) : result;
}

CUresult hook_library_enumerate(CUresult (*real)(CUkernel *, unsigned int, CUlibrary), CUkernel *kernels,
				unsigned int count, CUlibrary library)
{
	CUresult result = settle(library);
	return result == CUDA_SUCCESS ? real(kernels, count, library) : result;
}

CUresult hook_library_get_kernel(CUresult (*real)(CUkernel *, CUlibrary, const char *), CUkernel *kernel,
				 CUlibrary library, const char *name)
{
	CUresult result = settle(library);
	if (result == CUDA_SUCCESS)
		result = real(kernel, library, name);
	if (result != CUDA_SUCCESS || kernel_fits(*kernel))
		return result;
	*kernel = NULL; /* not to be launched all the same */
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult hook_kernel_get_function(CUresult (*real)(CUfunction *, CUkernel), CUfunction *function, CUkernel kernel)
{
	CUlibrary library;
	CUresult result = CUDA_SUCCESS;
	if (cuda_real()->cuKernelGetLibrary && cuda_real()->cuKernelGetLibrary(&library, kernel) == CUDA_SUCCESS)
		result = settle(library);
	if (result == CUDA_SUCCESS)
		result = real(function, kernel);
	if (result != CUDA_SUCCESS || function_fits(*function))
		return result;
	*function = NULL;
	return CUDA_ERROR_OUT_OF_MEMORY;
}
