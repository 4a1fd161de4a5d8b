/* A library that is linked with the driver and opened with RTLD_DEEPBIND: its own calls bind to the driver first. */
#include <dlfcn.h>

#include "cuda_abi.h"

#define STEP (64ull << 20)

unsigned granted_by_call(void);
unsigned granted_by_name(void);
unsigned written_beside(void);

typedef CUresult allocation_call(CUdeviceptr *, size_t);

/* How often 64 MiB are granted, at most 64 times. */
static unsigned count(allocation_call *allocate)
{
	CUcontext context;
	CUdeviceptr pointer;
	unsigned granted = 0;
	if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
	    cuCtxSetCurrent(context) != CUDA_SUCCESS)
		return 0;
	while (granted < 64 && allocate(&pointer, STEP) == CUDA_SUCCESS)
		granted++;
	return granted;
}

static CUresult by_call(CUdeviceptr *pointer, size_t bytes)
{
	return cuMemAlloc_v2(pointer, bytes);
}

unsigned granted_by_call(void)
{
	return count(by_call);
}

unsigned granted_by_name(void)
{
	void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
	allocation_call *allocate = driver ? (allocation_call *)dlsym(driver, "cuMemAlloc_v2") : NULL;
	return allocate ? count(allocate) : 0;
}

/* Beside what the loader seals: where the sealed range does not end with a page, this stays writable. */
__attribute__((section(".data.rel.ro"))) static volatile unsigned beside = 1;

unsigned written_beside(void)
{
	beside += cuInit(0) == CUDA_SUCCESS;
	return beside;
}
