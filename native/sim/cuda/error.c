/* Names of error codes, from the driver API's header. */
#include "driver.h"

static const struct error_name {
	CUresult code;
	const char *name;
} error_names[] = {
#define NAMED(code) {code, #code}
	NAMED(CUDA_SUCCESS),
	NAMED(CUDA_ERROR_INVALID_VALUE),
	NAMED(CUDA_ERROR_OUT_OF_MEMORY),
	NAMED(CUDA_ERROR_NOT_INITIALIZED),
	NAMED(CUDA_ERROR_DEINITIALIZED),
	NAMED(CUDA_ERROR_DEVICE_UNAVAILABLE),
	NAMED(CUDA_ERROR_NO_DEVICE),
	NAMED(CUDA_ERROR_INVALID_DEVICE),
	NAMED(CUDA_ERROR_INVALID_CONTEXT),
	NAMED(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY),
	NAMED(CUDA_ERROR_FILE_NOT_FOUND),
	NAMED(CUDA_ERROR_OPERATING_SYSTEM),
	NAMED(CUDA_ERROR_INVALID_HANDLE),
	NAMED(CUDA_ERROR_NOT_FOUND),
	NAMED(CUDA_ERROR_NOT_READY),
	NAMED(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE),
	NAMED(CUDA_ERROR_CONTEXT_IS_DESTROYED),
	NAMED(CUDA_ERROR_NOT_SUPPORTED),
	NAMED(CUDA_ERROR_SYSTEM_NOT_READY),
	NAMED(CUDA_ERROR_UNKNOWN),
#undef NAMED
};

SIM_EXPORT CUresult cuGetErrorName(CUresult error, const char **name)
{
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	*name = NULL;
	for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++)
		if (error_names[i].code == error)
			*name = error_names[i].name;
	return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* The simulated driver describes an error by its name. */
SIM_EXPORT CUresult cuGetErrorString(CUresult error, const char **text)
{
	return cuGetErrorName(error, text);
}
