/*
 * The launches of the first CUDA, and the one on several devices. A kernel here is only a time, so neither the shape of its
 * blocks nor parameters that were set beforehand matter: one that needs a parameter has none.
 */
#include "driver.h"

SIM_EXPORT CUresult cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream)
{
	if (width <= 0 || height <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	return cuLaunchKernel(function, (unsigned int)width, (unsigned int)height, 1, 1, 1, 1, 0, stream, NULL, NULL);
}

SIM_EXPORT CUresult cuLaunchGrid(CUfunction function, int width, int height)
{
	return cuLaunchGridAsync(function, width, height, NULL);
}

SIM_EXPORT CUresult cuLaunch(CUfunction function)
{
	return cuLaunchGrid(function, 1, 1);
}

static CUresult launch_part(const CUDA_LAUNCH_PARAMS *part)
{
	CUcontext context, own;
	CUresult result = cuStreamGetCtx(part->hStream, &context);
	if (result != CUDA_SUCCESS)
		return result;
	result = cuCtxPushCurrent_v2(context);
	if (result != CUDA_SUCCESS)
		return result;
	result = cuLaunchCooperativeKernel(part->function, part->gridDimX, part->gridDimY, part->gridDimZ,
					   part->blockDimX, part->blockDimY, part->blockDimZ, part->sharedMemBytes,
					   part->hStream, part->kernelParams);
	cuCtxPopCurrent_v2(&own);
	return result;
}

/* All or nothing on a card; here the parts before one that fails run. */
SIM_EXPORT CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *launches, unsigned int count,
							 unsigned int flags)
{
	if (!launches || !count || flags > 3)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < count; i++) {
		CUresult result = launch_part(&launches[i]);
		if (result != CUDA_SUCCESS)
			return result;
	}
	return CUDA_SUCCESS;
}
