/*
 * Copies and fills.  There are no contents to move; what is checked is that a
 * device range lies in one allocation.  A synchronous copy waits for the default
 * stream, as the driver does.
 */
#include "capture.h"
#include "driver.h"

static CUresult in_order(CUstream stream, bool per_thread, bool wait)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result == CUDA_SUCCESS && wait)
		timeline_wait(tail);
	return result;
}

static CUresult device_range(CUdeviceptr address, size_t bytes, CUstream stream, bool per_thread, bool wait)
{
	CUresult result = in_order(stream, per_thread, wait);
	if (result != CUDA_SUCCESS || !bytes)
		return result;
	return memory_covers(address, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* In a captured stream it becomes a node, and the memory may be one that the graph itself allocates. */
static bool captured_copy(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream, bool per_thread,
			  CUresult *result)
{
	CUgraphNodeParams node = {.type = CU_GRAPH_NODE_TYPE_MEMCPY};
	node.memcpy.copyParams = (CUDA_MEMCPY3D){.dstDevice = to, .srcDevice = from, .WidthInBytes = bytes,
						 .Height = 1, .Depth = 1};
	return capture_node(stream, per_thread, &node, result);
}

static CUresult host_copy(CUdeviceptr device, const void *host, size_t bytes, CUstream stream, bool per_thread,
			  bool wait)
{
	CUresult result;
	if (!host && bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (captured_copy(device, 0, bytes, stream, per_thread, &result))
		return result;
	return device_range(device, bytes, stream, per_thread, wait);
}

static CUresult device_copy(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream, bool per_thread, bool wait)
{
	CUresult result;
	if (captured_copy(to, from, bytes, stream, per_thread, &result))
		return result;
	result = device_range(to, bytes, stream, per_thread, wait);
	return result == CUDA_SUCCESS ? device_range(from, bytes, stream, per_thread, false) : result;
}

static CUresult fill(CUdeviceptr to, size_t count, size_t unit, CUstream stream, bool per_thread, bool wait)
{
	CUresult result;
	CUgraphNodeParams node = {.type = CU_GRAPH_NODE_TYPE_MEMSET};
	node.memset.set = (CUDA_MEMSET_NODE_PARAMS_v1){.dst = to, .elementSize = (unsigned)unit, .width = count,
						       .height = 1};
	if (count > SIZE_MAX / unit || to % unit)
		return CUDA_ERROR_INVALID_VALUE;
	if (capture_node(stream, per_thread, &node, &result))
		return result;
	return device_range(to, count * unit, stream, per_thread, wait);
}

SIM_EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes)
{
	return host_copy(to, from, bytes, NULL, false, true);
}

SIM_EXPORT CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes)
{
	return host_copy(from, to, bytes, NULL, false, true);
}

SIM_EXPORT CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
	return device_copy(to, from, bytes, NULL, false, true);
}

SIM_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
	return host_copy(to, from, bytes, stream, false, false);
}

SIM_EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	return host_copy(from, to, bytes, stream, false, false);
}

SIM_EXPORT CUresult cuMemcpyHtoDAsync_v2_ptsz(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
	return host_copy(to, from, bytes, stream, true, false);
}

SIM_EXPORT CUresult cuMemcpyDtoHAsync_v2_ptsz(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	return host_copy(from, to, bytes, stream, true, false);
}

SIM_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	return device_copy(to, from, bytes, stream, false, false);
}

SIM_EXPORT CUresult cuMemcpyDtoDAsync_v2_ptsz(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	return device_copy(to, from, bytes, stream, true, false);
}

SIM_EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
	(void)value;
	return fill(to, count, 1, stream, false, false);
}

SIM_EXPORT CUresult cuMemsetD8Async_ptsz(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
	(void)value;
	return fill(to, count, 1, stream, true, false);
}

SIM_EXPORT CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count)
{
	(void)value;
	return fill(to, count, 1, NULL, false, true);
}

SIM_EXPORT CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count)
{
	(void)value;
	return fill(to, count, 4, NULL, false, true);
}
