/*
 * Green contexts: a part of a device's processors, within the primary context, which lives as long as one of them. Here they
 * have all processors and no streams of their own.
 */
#include "driver.h"

struct CUgreenCtx_st {
	struct object object;
	CUdevice device;
};

SIM_EXPORT CUresult cuGreenCtxCreate(CUgreenCtx *out, CUdevResourceDesc resources, CUdevice device, unsigned int flags)
{
	CUcontext primary;
	(void)resources;
	if (!out || flags != 1) /* the only flag there is must be given */
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = cuDevicePrimaryCtxRetain(&primary, device);
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	CUgreenCtx green = object_new(GREEN, sizeof *green);
	if (green)
		green->device = device;
	driver_unlock();
	*out = green;
	return green ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuGreenCtxDestroy(CUgreenCtx green)
{
	NEED_INIT();
	if (!object_is(green, GREEN))
		return CUDA_ERROR_INVALID_CONTEXT;
	CUdevice device = green->device;
	driver_lock();
	object_end(green);
	driver_unlock();
	return cuDevicePrimaryCtxRelease_v2(device);
}
