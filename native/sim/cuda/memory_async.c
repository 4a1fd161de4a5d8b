/* Stream-ordered allocation: ordered by the one queue of the card, so it takes effect at once. */
#include "memory.h"

static CUresult allocate(CUdeviceptr *out, size_t bytes, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	return result == CUDA_SUCCESS ? memory_allocate(context, bytes, ASYNC, out) : result;
}

static CUresult release(CUdeviceptr address, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	return result == CUDA_SUCCESS ? memory_free(address) : result;
}

SIM_EXPORT CUresult cuMemAllocAsync(CUdeviceptr *out, size_t bytes, CUstream stream)
{
	return allocate(out, bytes, stream, false);
}

SIM_EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *out, size_t bytes, CUstream stream)
{
	return allocate(out, bytes, stream, true);
}

SIM_EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream)
{
	return release(address, stream, false);
}

SIM_EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream)
{
	return release(address, stream, true);
}
