/*
 * Green contexts live in the primary context of their device, which they retain: the first of them may make it. So it is
 * retained here, and paid for, before one is made, and let go afterwards.
 */
#include "footprint.h"

static CUresult paid(CUresult result, const CUgreenCtx *green, CUcontext primary, const struct footprint *before)
{
	if (result != CUDA_SUCCESS || footprint_charge(before, *green, primary))
		return result;
	footprint_forget(*green);
	if (cuda_real()->cuGreenCtxDestroy)
		cuda_real()->cuGreenCtxDestroy(*green);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult hook_green_ctx_create(CUresult (*real)(CUgreenCtx *, CUdevResourceDesc, CUdevice, unsigned int),
			       CUgreenCtx *green, CUdevResourceDesc resources, CUdevice device, unsigned int flags)
{
	CUcontext primary;
	if (!green)
		return real(green, resources, device, flags); /* the driver says what is wrong */
	CUresult result = hook_primary_ctx_retain(cuda_real()->cuDevicePrimaryCtxRetain, &primary, device);
	if (result != CUDA_SUCCESS)
		return result;
	struct footprint before = footprint_begin(device);
	result = paid(real(green, resources, device, flags), green, primary, &before);
	footprint_end(&before);
	hook_primary_ctx_release(cuda_real()->cuDevicePrimaryCtxRelease_v2, device);
	return result;
}

CUresult hook_green_ctx_destroy(CUresult (*real)(CUgreenCtx), CUgreenCtx green)
{
	CUresult result = real(green);
	if (result == CUDA_SUCCESS) {
		footprint_forget(green);
		context_primaries_settle();
	}
	return result;
}
