/* The version of the driver: which symbols this library has (the build links one for each set), so what it answers. */
#include "driver.h"

int driver_version(void)
{
	int configured = driver.ready ? driver.machine.config.cuda_version : SIM_CUDA_VERSION;
	return configured < SIM_CUDA_VERSION ? configured : SIM_CUDA_VERSION;
}

SIM_EXPORT CUresult cuDriverGetVersion(int *version)
{
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	*version = driver_version();
	return CUDA_SUCCESS;
}
