/*
 * Libraries: images that belong to no context. One is loaded into a context when something of it is first needed there, as
 * a module of that context; until then it takes nothing. A kernel of a library can be launched in any context.
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct CUlib_st {
	struct object object;
	struct CUkern_st *kernels;
	char *text; /* the image when it is text, else NULL */
};

struct CUkern_st {
	struct object object;
	struct CUkern_st *next;
	CUlibrary library;
	char name[128];
};

_Static_assert(sizeof(struct CUkern_st) <= sizeof(struct CUfunc_st), "objects have the size of the largest (driver.c)");

SIM_EXPORT CUresult cuLibraryLoadData(CUlibrary *out, const void *code, CUjit_option *jit_options, void **jit_values,
				      unsigned int jit_count, CUlibraryOption *options, void **values,
				      unsigned int count)
{
	(void)jit_options, (void)jit_values, (void)jit_count, (void)options, (void)values, (void)count;
	NEED_INIT();
	if (!out || !code)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUlibrary library = object_new(LIBRARY, sizeof *library);
	if (library)
		library->text = image_is_text(code) ? strdup(code) : NULL;
	driver_unlock();
	*out = library;
	return library ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuLibraryLoadFromFile(CUlibrary *out, const char *path, CUjit_option *jit_options,
					  void **jit_values, unsigned int jit_count, CUlibraryOption *options,
					  void **values, unsigned int count)
{
	char image[65536] = "";
	FILE *file = path ? fopen(path, "re") : NULL;
	if (!file)
		return path ? CUDA_ERROR_FILE_NOT_FOUND : CUDA_ERROR_INVALID_VALUE;
	size_t length = fread(image, 1, sizeof image - 1, file);
	fclose(file);
	image[length] = '\0';
	return cuLibraryLoadData(out, image, jit_options, jit_values, jit_count, options, values, count);
}

/* With the driver's lock held. */
static CUmodule loaded_in(CUlibrary library, CUcontext context)
{
	CUmodule module = context->modules;
	while (module && module->library != library)
		module = module->next;
	return module;
}

static CUresult load_in(CUlibrary library, CUcontext context, CUmodule *out)
{
	*out = loaded_in(library, context);
	if (*out)
		return CUDA_SUCCESS;
	CUresult result = module_open(out, context, library->text ? library->text : "");
	if (result == CUDA_SUCCESS)
		(*out)->library = library;
	return result;
}

SIM_EXPORT CUresult cuLibraryUnload(CUlibrary library)
{
	NEED_INIT();
	if (!object_is(library, LIBRARY))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	for (CUcontext context = driver.contexts; context; context = context->next) {
		CUmodule module = loaded_in(library, context);
		if (module)
			module_close(module);
	}
	while (library->kernels) {
		CUkernel kernel = library->kernels;
		library->kernels = kernel->next;
		object_end(kernel);
	}
	free(library->text);
	object_end(library);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuLibraryGetModule(CUmodule *out, CUlibrary library)
{
	NEED_CONTEXT(context);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(library, LIBRARY))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	CUresult result = load_in(library, context, out);
	driver_unlock();
	return result;
}

static CUkernel find_kernel(CUlibrary library, const char *name)
{
	CUkernel kernel = library->kernels;
	while (kernel && strcmp(kernel->name, name) != 0)
		kernel = kernel->next;
	return kernel;
}

static CUkernel add_kernel(CUlibrary library, const char *name)
{
	CUkernel kernel = object_new(KERNEL, sizeof *kernel);
	if (!kernel)
		return NULL;
	kernel->library = library;
	snprintf(kernel->name, sizeof kernel->name, "%s", name);
	kernel->next = library->kernels;
	library->kernels = kernel;
	return kernel;
}

/* As modules do, a library has every function that is asked for. */
SIM_EXPORT CUresult cuLibraryGetKernel(CUkernel *out, CUlibrary library, const char *name)
{
	NEED_INIT();
	if (!out || !name || !*name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(library, LIBRARY))
		return CUDA_ERROR_INVALID_HANDLE;
	if (strlen(name) >= sizeof(*out)->name)
		return CUDA_ERROR_NOT_FOUND;
	driver_lock();
	*out = find_kernel(library, name);
	if (!*out)
		*out = add_kernel(library, name);
	driver_unlock();
	return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult kernel_function(CUkernel kernel, CUcontext context, CUfunction *out)
{
	CUmodule module;
	CUresult result = load_in(kernel->library, context, &module);
	*out = result == CUDA_SUCCESS ? module_function(module, kernel->name) : NULL;
	return result == CUDA_SUCCESS && !*out ? CUDA_ERROR_OUT_OF_MEMORY : result;
}

SIM_EXPORT CUresult cuKernelGetFunction(CUfunction *out, CUkernel kernel)
{
	NEED_CONTEXT(context);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(kernel, KERNEL))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	CUresult result = kernel_function(kernel, context, out);
	driver_unlock();
	return result;
}

CUfunction library_function(CUfunction handle, CUcontext context)
{
	CUfunction function = NULL;
	if (object_is(handle, FUNCTION))
		return handle;
	if (!object_is(handle, KERNEL))
		return NULL;
	driver_lock();
	kernel_function((CUkernel)(void *)handle, context, &function);
	driver_unlock();
	return function;
}

SIM_EXPORT CUresult cuKernelGetLibrary(CUlibrary *out, CUkernel kernel)
{
	NEED_INIT();
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(kernel, KERNEL))
		return CUDA_ERROR_INVALID_HANDLE;
	*out = kernel->library;
	return CUDA_SUCCESS;
}

static CUresult attribute_of(int *value, CUfunction_attribute attribute, uint64_t local_bytes)
{
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	*value = attribute == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES	? (int)local_bytes
		 : attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024
									: 0;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function)
{
	NEED_INIT();
	if (!object_is(function, FUNCTION))
		return CUDA_ERROR_INVALID_HANDLE;
	return attribute_of(value, attribute, function->local_bytes);
}

SIM_EXPORT CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel kernel, CUdevice device)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	if (!object_is(kernel, KERNEL))
		return CUDA_ERROR_INVALID_HANDLE;
	const char *text = kernel->library->text;
	return attribute_of(value, attribute, text ? image_local(text, kernel->name) : 0);
}

/* With the driver's lock held. */
static CUresult variable(CUmodule module, const char *name, CUdeviceptr *address, size_t *bytes)
{
	uint64_t offset, size;
	if (!module->text || !image_variable(module->text, name, &offset, &size))
		return CUDA_ERROR_NOT_FOUND;
	if (!module->variables)
		module->variables = memory_reserve_addresses(image_variables(module->text), 512);
	if (address)
		*address = module->variables + offset;
	if (bytes)
		*bytes = size;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name)
{
	NEED_INIT();
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(module, MODULE))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	CUresult result = variable(module, name, address, bytes);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
	CUmodule module;
	CUresult result = cuLibraryGetModule(&module, library);
	return result == CUDA_SUCCESS ? cuModuleGetGlobal_v2(address, bytes, module, name) : result;
}
