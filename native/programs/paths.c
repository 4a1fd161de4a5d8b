/*
 * Sizes are exact where the call's unit allows: arrays are as wide as 1024 floats, so that no row of theirs is padded.
 */
#include "paths.h"

#define ROW 1024u                              /* elements of an array's row */
#define ROW_BYTES (ROW * sizeof(float))
#define LAYER_ROWS 128u
#define TILES_HIGH 128u                        /* rows of an array come in so many */

static CUresult allocate_plain(CUdeviceptr *out, size_t bytes)
{
	return cuMemAlloc_v2(out, bytes);
}

static CUresult release_plain(CUdeviceptr address, size_t bytes)
{
	(void)bytes;
	return cuMemFree_v2(address);
}

static CUresult allocate_old(CUdeviceptr *out, size_t bytes)
{
	CUdeviceptr_v1 address = 0;
	CUresult result = cuMemAlloc(&address, (unsigned int)bytes);
	*out = address;
	return result;
}

static CUresult release_old(CUdeviceptr address, size_t bytes)
{
	(void)bytes;
	return cuMemFree((CUdeviceptr_v1)address);
}

static CUresult allocate_managed(CUdeviceptr *out, size_t bytes)
{
	return cuMemAllocManaged(out, bytes, CU_MEM_ATTACH_GLOBAL);
}

/* Rows as wide as the coarsest pitch of any card, so that no row is padded. */
static CUresult allocate_pitch(CUdeviceptr *out, size_t bytes)
{
	size_t pitch, width = bytes < MIB ? 512 : MIB;
	return cuMemAllocPitch_v2(out, &pitch, width, bytes / width, 4);
}

static CUresult allocate_async(CUdeviceptr *out, size_t bytes)
{
	return cuMemAllocAsync(out, bytes, NULL);
}

static CUresult release_async(CUdeviceptr address, size_t bytes)
{
	(void)bytes;
	return cuMemFreeAsync(address, NULL);
}

static CUresult allocate_from_pool(CUdeviceptr *out, size_t bytes)
{
	static _Thread_local CUmemoryPool pool;
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUresult result = pool ? CUDA_SUCCESS : cuMemPoolCreate(&pool, &properties);
	return result == CUDA_SUCCESS ? cuMemAllocFromPoolAsync(out, bytes, pool, NULL) : result;
}

static CUresult allocate_handle(CUdeviceptr *out, size_t bytes)
{
	CUmemAllocationProp properties = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
					  .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemGenericAllocationHandle handle = 0;
	CUresult result = cuMemCreate(&handle, bytes, &properties, 0);
	*out = handle;
	return result;
}

static CUresult release_handle(CUdeviceptr handle, size_t bytes)
{
	(void)bytes;
	return cuMemRelease(handle);
}

static CUresult release_mapped(CUdeviceptr address, size_t bytes)
{
	CUresult result = cuMemUnmap(address, bytes);
	return result == CUDA_SUCCESS ? cuMemAddressFree(address, bytes) : result;
}

/* Only the mapping is left to hold the memory. */
static CUresult map_handle(CUmemGenericAllocationHandle handle, CUdeviceptr address, size_t bytes)
{
	CUmemAccessDesc access = {.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}, .flags = 3};
	CUresult result = cuMemMap(address, bytes, 0, handle, 0);
	CUresult released = cuMemRelease(handle);
	if (result == CUDA_SUCCESS)
		result = cuMemSetAccess(address, bytes, &access, 1);
	return result == CUDA_SUCCESS ? released : result;
}

static CUresult allocate_mapped(CUdeviceptr *out, size_t bytes)
{
	CUdeviceptr handle, address;
	CUresult result = allocate_handle(&handle, bytes);
	if (result != CUDA_SUCCESS)
		return result;
	result = cuMemAddressReserve(&address, bytes, 0, 0, 0);
	if (result != CUDA_SUCCESS)
		return result;
	*out = address;
	return map_handle(handle, address, bytes);
}

static CUresult allocate_array(CUdeviceptr *out, size_t bytes)
{
	CUDA_ARRAY_DESCRIPTOR wanted = {ROW, bytes / ROW_BYTES, CU_AD_FORMAT_FLOAT, 1};
	CUarray array = NULL;
	CUresult result = cuArrayCreate_v2(&array, &wanted);
	*out = (CUdeviceptr)(uintptr_t)array;
	return result;
}

static CUresult allocate_deep_array(CUdeviceptr *out, size_t bytes)
{
	CUDA_ARRAY3D_DESCRIPTOR wanted = {ROW, LAYER_ROWS, bytes / ROW_BYTES / LAYER_ROWS, CU_AD_FORMAT_FLOAT, 1, 0};
	CUarray array = NULL;
	CUresult result = cuArray3DCreate_v2(&array, &wanted);
	*out = (CUdeviceptr)(uintptr_t)array;
	return result;
}

static CUresult release_array(CUdeviceptr array, size_t bytes)
{
	(void)bytes;
	return cuArrayDestroy((CUarray)(uintptr_t)array);
}

/* Two levels, of which the second has a quarter of the first. */
static CUresult allocate_mipmap(CUdeviceptr *out, size_t bytes)
{
	size_t rows = bytes / (ROW_BYTES + ROW_BYTES / 4);
	CUDA_ARRAY3D_DESCRIPTOR wanted = {ROW, rows / TILES_HIGH * TILES_HIGH, 0, CU_AD_FORMAT_FLOAT, 1, 0};
	CUmipmappedArray array = NULL;
	CUresult result = cuMipmappedArrayCreate(&array, &wanted, 2);
	*out = (CUdeviceptr)(uintptr_t)array;
	return result;
}

static CUresult release_mipmap(CUdeviceptr array, size_t bytes)
{
	(void)bytes;
	return cuMipmappedArrayDestroy((CUmipmappedArray)(uintptr_t)array);
}

/* The allocation of a launched graph, which outlives it. */
static CUresult launch_and_forget(CUgraph graph)
{
	CUgraphExec exec;
	CUresult result = cuGraphInstantiateWithFlags(&exec, graph, 0);
	if (result == CUDA_SUCCESS) {
		result = cuGraphLaunch(exec, NULL);
		cuGraphExecDestroy(exec);
	}
	cuGraphDestroy(graph);
	return result;
}

static CUresult allocate_by_graph(CUdeviceptr *out, size_t bytes)
{
	CUgraph graph;
	CUgraphNode node;
	CUDA_MEM_ALLOC_NODE_PARAMS_v1 wanted = {
		.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
			      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}},
		.bytesize = bytes,
	};
	CUresult result = cuGraphCreate(&graph, 0);
	if (result == CUDA_SUCCESS)
		result = cuGraphAddMemAllocNode(&node, graph, NULL, 0, &wanted);
	*out = wanted.dptr;
	return result == CUDA_SUCCESS ? launch_and_forget(graph) : result;
}

static CUresult release_of_graph(CUdeviceptr address, size_t bytes)
{
	(void)bytes;
	CUresult result = cuMemFree_v2(address);
	return result == CUDA_SUCCESS ? cuDeviceGraphMemTrim(0) : result;
}

const struct paths_api paths[] = {
	{"alloc", allocate_plain, release_plain, false},
	{"alloc1", allocate_old, release_old, true},
	{"managed", allocate_managed, release_plain, false},
	{"pitch", allocate_pitch, release_plain, false},
	{"async", allocate_async, release_async, false},
	{"pool", allocate_from_pool, release_async, false},
	{"create", allocate_handle, release_handle, false},
	{"mapped", allocate_mapped, release_mapped, false},
	{"array", allocate_array, release_array, false},
	{"array3d", allocate_deep_array, release_array, false},
	{"mipmap", allocate_mipmap, release_mipmap, false},
	{"graph", allocate_by_graph, release_of_graph, false},
};

const size_t paths_count = sizeof paths / sizeof *paths;

const struct paths_api *paths_find(const char *name)
{
	for (size_t i = 0; i < paths_count; i++)
		if (strcmp(name, paths[i].name) == 0)
			return &paths[i];
	return NULL;
}
