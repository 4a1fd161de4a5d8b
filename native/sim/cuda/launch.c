/* Modules, functions and launches. */
#include "capture.h"
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few variables lie in what the context has taken; many take blocks of their own. */
static uint64_t variables_taken(uint64_t bytes)
{
	const uint64_t block = 2 * SIM_MIB;
	return bytes < SIM_MIB ? 0 : (bytes + block - 1) / block * block;
}

static bool read_image(CUmodule module, const char *image)
{
	if (!image_is_text(image))
		return true;
	module->text = strdup(image);
	module->taken = variables_taken(image_variables(image));
	if (module->text && sim_memory_take(&driver.machine, driver.process, driver.card_of[module->context->device],
					    module->taken))
		return true;
	free(module->text);
	return false;
}

CUresult module_open(CUmodule *out, CUcontext context, const char *image)
{
	CUmodule module = object_new(MODULE, sizeof *module);
	if (!module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	module->context = context;
	if (!limits_need_heap(context) || !read_image(module, image)) {
		object_end(module);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	module->next = context->modules;
	context->modules = module;
	*out = module;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuModuleLoadData(CUmodule *out, const void *image)
{
	NEED_CONTEXT(context);
	if (!out || !image)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUresult result = module_open(out, context, image);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned int count, CUjit_option *options,
				       void **values)
{
	(void)count;
	(void)options;
	(void)values;
	return cuModuleLoadData(out, image);
}

SIM_EXPORT CUresult cuModuleLoadFatBinary(CUmodule *out, const void *image)
{
	return cuModuleLoadData(out, image);
}

/* The whole of a file, with a zero behind it; NULL when it cannot be read. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	ssize_t length = file ? getdelim(&text, &room, '\0', file) : -1;
	if (file)
		fclose(file);
	if (length >= 0)
		return text;
	free(text);
	return file ? strdup("") : NULL;
}

SIM_EXPORT CUresult cuModuleLoad(CUmodule *out, const char *path)
{
	NEED_INIT();
	char *image = path ? read_file(path) : NULL;
	if (!image)
		return path ? CUDA_ERROR_FILE_NOT_FOUND : CUDA_ERROR_INVALID_VALUE;
	CUresult result = cuModuleLoadData(out, image);
	free(image);
	return result;
}

static void end_module(CUmodule module)
{
	while (module->functions) {
		CUfunction function = module->functions;
		module->functions = function->next;
		object_end(function);
	}
	if (module->taken)
		sim_memory_give(&driver.machine, driver.process, driver.card_of[module->context->device], module->taken);
	free(module->text);
	object_end(module);
}

void modules_forget_context(CUcontext context)
{
	while (context->modules) {
		CUmodule module = context->modules;
		context->modules = module->next;
		end_module(module);
	}
}

void module_close(CUmodule module)
{
	CUmodule *link = &module->context->modules;
	while (*link != module)
		link = &(*link)->next;
	*link = module->next;
	end_module(module);
}

SIM_EXPORT CUresult cuModuleUnload(CUmodule module)
{
	NEED_INIT();
	if (!object_is(module, MODULE) || module->library)
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	module_close(module);
	driver_unlock();
	return CUDA_SUCCESS;
}

static CUfunction find_function(CUmodule module, const char *name)
{
	for (CUfunction function = module->functions; function; function = function->next)
		if (strcmp(function->name, name) == 0)
			return function;
	return NULL;
}

static CUfunction add_function(CUmodule module, const char *name)
{
	CUfunction function = object_new(FUNCTION, sizeof *function);
	if (!function)
		return NULL;
	function->module = module;
	function->local_bytes = module->text ? image_local(module->text, name) : 0;
	function->parameters = kernel_parameters(name);
	snprintf(function->name, sizeof function->name, "%s", name);
	function->next = module->functions;
	module->functions = function;
	return function;
}

CUfunction module_function(CUmodule module, const char *name)
{
	CUfunction function = find_function(module, name);
	return function ? function : add_function(module, name);
}

/* The image is not compiled, so it has every function that is asked for. */
SIM_EXPORT CUresult cuModuleGetFunction(CUfunction *out, CUmodule module, const char *name)
{
	NEED_INIT();
	if (!out || !name || !*name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!object_is(module, MODULE))
		return CUDA_ERROR_INVALID_HANDLE;
	if (strlen(name) >= sizeof(*out)->name)
		return CUDA_ERROR_NOT_FOUND;
	driver_lock();
	CUfunction function = module_function(module, name);
	driver_unlock();
	*out = function;
	return function ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult launch(CUfunction function, CUstream stream, bool per_thread, void **parameters, void **extra)
{
	CUcontext context;
	uint64_t tail, ns;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	function = library_function(function, context);
	if (!function || function->module->context != context)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!limits_need_local(context, function->local_bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = kernel_time(function, parameters, extra, &ns);
	return result == CUDA_SUCCESS ? stream_run(stream, per_thread, ns) : result;
}

static bool valid_shape(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz)
{
	return gx && gy && gz && bx && by && bz && gx <= 2147483647u && gy <= 65535 && gz <= 65535 && bx <= 1024 &&
	       by <= 1024 && bz <= 64 && bx * by * bz <= 1024;
}

CUresult kernel_duration(const CUDA_KERNEL_NODE_PARAMS_v2 *kernel, uint64_t *ns)
{
	if (!object_is(kernel->func, FUNCTION))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!valid_shape(kernel->gridDimX, kernel->gridDimY, kernel->gridDimZ, kernel->blockDimX, kernel->blockDimY,
			 kernel->blockDimZ))
		return CUDA_ERROR_INVALID_VALUE;
	return kernel_time(kernel->func, kernel->kernelParams, kernel->extra, ns);
}

SIM_EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int gx, unsigned int gy, unsigned int gz,
				   unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
				   CUstream stream, void **parameters, void **extra)
{
	const CUDA_KERNEL_NODE_PARAMS_v2 kernel = {function, gx, gy, gz, bx, by, bz, shared, parameters, extra, NULL, NULL};
	CUresult result;
	if (!valid_shape(gx, gy, gz, bx, by, bz))
		return CUDA_ERROR_INVALID_VALUE;
	if (capture_kernel(&kernel, stream, false, &result))
		return result;
	return launch(function, stream, false, parameters, extra);
}

SIM_EXPORT CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned int gx, unsigned int gy, unsigned int gz,
					unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
					CUstream stream, void **parameters, void **extra)
{
	const CUDA_KERNEL_NODE_PARAMS_v2 kernel = {function, gx, gy, gz, bx, by, bz, shared, parameters, extra, NULL, NULL};
	CUresult result;
	if (!valid_shape(gx, gy, gz, bx, by, bz))
		return CUDA_ERROR_INVALID_VALUE;
	if (capture_kernel(&kernel, stream, true, &result))
		return result;
	return launch(function, stream, true, parameters, extra);
}

SIM_EXPORT CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned int gx, unsigned int gy, unsigned int gz,
					      unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
					      CUstream stream, void **parameters)
{
	return cuLaunchKernel(function, gx, gy, gz, bx, by, bz, shared, stream, parameters, NULL);
}

SIM_EXPORT CUresult cuLaunchCooperativeKernel_ptsz(CUfunction function, unsigned int gx, unsigned int gy,
						   unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz,
						   unsigned int shared, CUstream stream, void **parameters)
{
	return cuLaunchKernel_ptsz(function, gx, gy, gz, bx, by, bz, shared, stream, parameters, NULL);
}

SIM_EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra)
{
	if (!config)
		return CUDA_ERROR_INVALID_VALUE;
	return cuLaunchKernel(function, config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX,
			      config->blockDimY, config->blockDimZ, config->sharedMemBytes, config->hStream, parameters,
			      extra);
}

SIM_EXPORT CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *config, CUfunction function, void **parameters,
					  void **extra)
{
	if (!config)
		return CUDA_ERROR_INVALID_VALUE;
	return cuLaunchKernel_ptsz(function, config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX,
				   config->blockDimY, config->blockDimZ, config->sharedMemBytes, config->hStream,
				   parameters, extra);
}
