/*
 * Local memory: a context keeps as much for a thread as the neediest function that it has launched asks for, times all
 * threads that the device can run at once: 16 GiB for a function of 64 KiB on an H100. The driver takes it at the launch;
 * here it is charged when the program looks the function up or sets the limit, when it can still be refused. It is given
 * back with the context.
 *
 * What a context begins with is part of what was charged for the context. Source: measured on an H100 80GB with driver
 * 580.159.04 on 2026-11-27: (bytes - 1024) * processors * threads of one, to the byte. Setting the limit lower gives back
 * at once what functions took, until one is launched again; here they stay paid for.
 */
#include "functions.h"

#include "footprint.h"

#define FIRST_LOCAL 1024 /* bytes of a thread */

static uint64_t threads_of(CUdevice device)
{
	const struct cuda_real *real = cuda_real();
	int processors = 0, threads = 0;
	if (!real->cuDeviceGetAttribute ||
	    real->cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device) != CUDA_SUCCESS ||
	    real->cuDeviceGetAttribute(&threads, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, device) !=
		    CUDA_SUCCESS)
		return 0;
	return (uint64_t)processors * (uint64_t)threads;
}

/* The local memory of all threads, beyond what the context began with. */
static uint64_t local_bytes(uint64_t bytes, CUdevice device)
{
	return bytes <= FIRST_LOCAL ? 0 : (bytes - FIRST_LOCAL) * threads_of(device);
}

static bool fits(CUcontext context, CUdevice device, int bytes)
{
	uint64_t grown;
	return bytes <= FIRST_LOCAL ||
	       footprint_local(context, slice_device(device), local_bytes((uint64_t)bytes, device), &grown);
}

/* Where memory is not limited the driver is not asked either: its answer may make it load the function. */
bool function_fits(CUfunction function)
{
	CUcontext context;
	CUdevice device;
	int bytes = 0;
	const struct cuda_real *real = cuda_real();
	if (!real->cuFuncGetAttribute || !footprint_context(&context, &device) ||
	    real->cuFuncGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function) != CUDA_SUCCESS)
		return true;
	return fits(context, device, bytes);
}

bool kernel_fits(CUkernel kernel)
{
	CUcontext context;
	CUdevice device;
	int bytes = 0;
	const struct cuda_real *real = cuda_real();
	if (!real->cuKernelGetAttribute || !footprint_context(&context, &device) ||
	    real->cuKernelGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, kernel, device) != CUDA_SUCCESS)
		return true;
	return fits(context, device, bytes);
}

CUresult hook_module_get_function(CUresult (*real)(CUfunction *, CUmodule, const char *), CUfunction *function,
				  CUmodule module, const char *name)
{
	CUresult result = real(function, module, name);
	if (result != CUDA_SUCCESS || function_fits(*function))
		return result;
	*function = NULL; /* not to be launched all the same */
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult hook_ctx_set_limit(CUresult (*real)(CUlimit, size_t), CUlimit limit, size_t value)
{
	CUcontext context;
	CUdevice device;
	uint64_t grown = 0;
	if (limit != CU_LIMIT_STACK_SIZE || !footprint_context(&context, &device))
		return real(limit, value);
	if (!footprint_local(context, slice_device(device), local_bytes(value, device), &grown))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = real(limit, value);
	if (result != CUDA_SUCCESS)
		footprint_local_undo(context, grown);
	return result;
}
