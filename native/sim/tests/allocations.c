/* What each kind of memory takes of a card, and when it comes back: as seen on an H100 with driver 580.159.04. */
#include <unistd.h>

#include "check.h"

#define KIB 1024ull

static const CUmemAllocationProp here = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
					 .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};

static uint64_t before;

static uint64_t lost(void)
{
	return before - free_mib();
}

static void start(void)
{
	use_card(0);
	before = free_mib();
}

static void allocate(int count, size_t bytes, CUdeviceptr *pointers)
{
	for (int i = 0; i < count; i++)
		OK(cuMemAlloc_v2(&pointers[i], bytes));
}

static void release(int count, const CUdeviceptr *pointers)
{
	for (int i = 0; i < count; i++)
		OK(cuMemFree_v2(pointers[i]));
}

static void what_is_larger_than_one_mib_is_rounded_up_to_two(void)
{
	static const struct {
		size_t bytes;
		uint64_t mib;
	} known[] = {{MIB + 1, 2}, {2 * MIB, 2}, {2 * MIB + 1, 4}, {3 * MIB, 4}, {5 * MIB, 6}};
	CUdeviceptr pointer;
	start();
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		OK(cuMemAlloc_v2(&pointer, known[i].bytes));
		EXPECT(known[i].mib, lost());
		OK(cuMemFree_v2(pointer));
	}
	EXPECT(0, lost());
}

static void what_is_smaller_shares_blocks(void)
{
	static const struct {
		size_t bytes;
		int a_block;
	} known[] = {{MIB, 2}, {700000, 2}, {512 * KIB, 4}, {4 * KIB, 512}};
	CUdeviceptr pointers[600];
	start();
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		allocate(known[i].a_block, known[i].bytes, pointers);
		EXPECT(2, lost());
		allocate(1, known[i].bytes, pointers + known[i].a_block);
		EXPECT(4, lost());
		release(known[i].a_block + 1, pointers);
		EXPECT(0, lost());
	}
}

static void a_larger_one_takes_a_hole_that_is_wide_enough(void)
{
	CUdeviceptr small, middle, large, other;
	start();
	allocate(1, 300000, &small);
	allocate(1, 1500000, &middle);
	EXPECT(2, lost());
	allocate(1, 3 * MIB, &large);
	EXPECT(6, lost());
	allocate(1, MIB, &other); /* not behind the large one */
	EXPECT(8, lost());
	release(1, &small);
	EXPECT(8, lost());
	release(1, &middle);
	EXPECT(6, lost());
	release(1, &large);
	release(1, &other);
	EXPECT(0, lost());
}

static void a_block_comes_back_with_its_last(void)
{
	CUdeviceptr pointers[8];
	start();
	allocate(8, 512 * KIB, pointers);
	release(3, pointers);
	EXPECT(4, lost());
	release(1, pointers + 3);
	EXPECT(2, lost());
	release(4, pointers + 4);
	EXPECT(0, lost());
}

static void arrays_are_kept_in_tiles(void)
{
	static const struct {
		CUDA_ARRAY3D_DESCRIPTOR described;
		int count;
		unsigned levels;
		uint64_t mib;
	} known[] = {
		{{1024, 0, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 300, 1, 10},
		{{64, 64, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 300, 1, 6},
		{{256, 256, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 64, 1, 16},
		{{600, 600, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 8, 1, 16},
		{{700, 700, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 8, 1, 32},
		{{1000, 1000, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 1, 1, 4},
		{{32, 32, 32, CU_AD_FORMAT_FLOAT, 1, 0}, 100, 1, 14},
		{{70, 70, 70, CU_AD_FORMAT_FLOAT, 1, 0}, 8, 1, 16},
		{{100, 100, 100, CU_AD_FORMAT_FLOAT, 1, 0}, 8, 1, 48},
		{{64, 64, 8, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_LAYERED}, 100, 1, 14},
		{{1024, 1024, 16, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_LAYERED}, 1, 1, 64},
		{{4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, 0}, 1, 13, 86},
		{{4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_SPARSE}, 1, 1, 0},
		{{4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_DEFERRED_MAPPING}, 1, 1, 0},
	};
	CUmipmappedArray arrays[300];
	start();
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		for (int j = 0; j < known[i].count; j++)
			OK(cuMipmappedArrayCreate(&arrays[j], &known[i].described, known[i].levels));
		EXPECT(known[i].mib, lost());
		for (int j = 0; j < known[i].count; j++)
			OK(cuMipmappedArrayDestroy(arrays[j]));
		EXPECT(0, lost());
	}
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuMipmappedArrayDestroy(arrays[0]));
}

static uint64_t asked(CUmemoryPool pool, CUmemPool_attribute attribute)
{
	uint64_t value = 0;
	OK(cuMemPoolGetAttribute(pool, attribute, &value));
	return value / MIB;
}

static void expect_pool(CUmemoryPool pool, uint64_t reserved, uint64_t used)
{
	EXPECT(reserved, asked(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT));
	EXPECT(used, asked(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT));
	EXPECT(reserved, lost());
}

static void a_pool_grows_and_shrinks_by_chunks(void)
{
	CUmemoryPool pool;
	CUdeviceptr a, b, c, d;
	start();
	OK(cuDeviceGetDefaultMemPool(&pool, 0));
	OK(cuMemAllocAsync(&a, 20 * MIB, NULL));
	expect_pool(pool, 32, 20);
	OK(cuMemAllocAsync(&b, 20 * MIB, NULL));
	expect_pool(pool, 64, 40);
	OK(cuMemAllocAsync(&c, 20 * MIB, NULL));
	expect_pool(pool, 64, 60);
	OK(cuMemFreeAsync(b, NULL));
	OK(cuMemAllocAsync(&d, 30 * MIB, NULL)); /* does not fit between the others */
	expect_pool(pool, 96, 70);
	OK(cuMemFreeAsync(a, NULL));
	OK(cuMemFree_v2(c)); /* also a counterpart */
	expect_pool(pool, 96, 30);
	OK(cuCtxSynchronize());
	expect_pool(pool, 64, 30); /* the first chunk is empty */
	OK(cuMemFreeAsync(d, NULL));
	expect_pool(pool, 64, 0);
	OK(cuStreamSynchronize(NULL));
	expect_pool(pool, 0, 0);
}

static void a_threshold_keeps_chunks_and_a_trim_gives_them_back(void)
{
	CUmemoryPool pool;
	CUdeviceptr pointer;
	uint64_t all = UINT64_MAX;
	start();
	OK(cuDeviceGetDefaultMemPool(&pool, 0));
	OK(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all));
	OK(cuMemAllocAsync(&pointer, 33 * MIB, NULL));
	OK(cuMemFreeAsync(pointer, NULL));
	OK(cuCtxSynchronize());
	expect_pool(pool, 64, 0);
	OK(cuMemPoolTrimTo(pool, 32 * MIB));
	expect_pool(pool, 32, 0);
	OK(cuMemPoolTrimTo(pool, 0));
	expect_pool(pool, 0, 0);
}

static void a_destroyed_pool_lives_until_its_last_is_freed(void)
{
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemoryPool pool;
	CUdeviceptr pointer;
	uint64_t value;
	start();
	OK(cuMemPoolCreate(&pool, &properties));
	OK(cuMemAllocFromPoolAsync(&pointer, 64 * MIB, pool, NULL));
	EXPECT(64, lost());
	OK(cuMemPoolDestroy(pool));
	EXPECT(64, lost());
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &value));
	OK(cuMemFreeAsync(pointer, NULL));
	OK(cuCtxSynchronize());
	EXPECT(0, lost());
}

static void physical_memory_lives_while_anything_refers_to_it(void)
{
	CUmemGenericAllocationHandle handle, again;
	CUdeviceptr address;
	start();
	OK(cuMemCreate(&handle, 8 * MIB, &here, 0));
	OK(cuMemAddressReserve(&address, 16 * MIB, 0, 0, 0));
	EXPECT(CUDA_ERROR_NOT_SUPPORTED, cuMemMap(address, 2 * MIB, 0, handle, 0));
	OK(cuMemMap(address, 8 * MIB, 0, handle, 0));
	OK(cuMemMap(address + 8 * MIB, 8 * MIB, 0, handle, 0));
	OK(cuMemRelease(handle));
	OK(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)(address + MIB)));
	EXPECT(handle, again);
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemUnmap(address, 4 * MIB));
	OK(cuMemUnmap(address, 16 * MIB));
	EXPECT(8, lost());
	OK(cuMemRelease(again));
	EXPECT(0, lost());
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemRelease(again));
	OK(cuMemAddressFree(address, 16 * MIB));
}

static void an_exported_descriptor_keeps_memory(void)
{
	CUmemGenericAllocationHandle handle, imported;
	int descriptor;
	start();
	OK(cuMemCreate(&handle, 8 * MIB, &here, 0));
	OK(cuMemExportToShareableHandle(&descriptor, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	OK(cuMemRelease(handle));
	EXPECT(8, lost());
	OK(cuMemImportFromShareableHandle(&imported, (void *)(intptr_t)descriptor,
					  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
	EXPECT(true, imported != handle);
	EXPECT(8, lost());
	close(descriptor);
	EXPECT(8, lost());
	OK(cuMemRelease(imported));
	EXPECT(0, lost());
}

static void host_memory_takes_nothing_and_can_be_written(void)
{
	void *pinned;
	CUdeviceptr seen;
	unsigned int type = 0;
	start();
	OK(cuMemHostAlloc(&pinned, 64 * MIB, 0));
	memset(pinned, 1, 4096);
	EXPECT(0, lost());
	OK(cuMemHostGetDevicePointer_v2(&seen, pinned, 0));
	OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, seen));
	EXPECT(CU_MEMORYTYPE_HOST, type);
	OK(cuMemFreeHost(pinned));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFreeHost(pinned));
}

static void a_pointer_tells_where_it_is_from(void)
{
	CUdeviceptr pointer;
	CUmemoryPool pool, from;
	CUcontext current, its;
	int ordinal = -1;
	start();
	OK(cuMemAllocAsync(&pointer, MIB, NULL));
	OK(cuDeviceGetMemPool(&pool, 0));
	OK(cuCtxGetCurrent(&current));
	CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
					    CU_POINTER_ATTRIBUTE_CONTEXT};
	void *values[] = {&from, &ordinal, &its};
	OK(cuPointerGetAttributes(3, attributes, values, pointer));
	EXPECT(true, from == pool && its == current);
	EXPECT(0, ordinal);
	OK(cuMemFreeAsync(pointer, NULL));
}

static void managed_memory_has_no_end_at_the_card(void)
{
	CUdeviceptr pointer;
	start();
	OK(cuMemAllocManaged(&pointer, 2048 * MIB, CU_MEM_ATTACH_GLOBAL));
	EXPECT(0, lost());
	OK(cuMemFree_v2(pointer));
}

static void the_old_calls_work_in_the_old_contexts(void)
{
	CUdeviceptr_v1 pointer;
	CUcontext context;
	start();
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc(&pointer, (unsigned int)(64 * MIB)));
	OK(cuCtxCreate(&context, 0, 0));
	uint64_t then = lost();
	OK(cuMemAlloc(&pointer, (unsigned int)(64 * MIB)));
	EXPECT(64, lost() - then);
	OK(cuMemFree(pointer));
	EXPECT(0, lost() - then);
}

static void a_context_takes_its_memory_along(void)
{
	CUcontext context;
	CUdeviceptr pointer;
	CUarray array;
	CUDA_ARRAY_DESCRIPTOR described = {1024, 1024, CU_AD_FORMAT_FLOAT, 1};
	start();
	OK(cuCtxCreate_v2(&context, 0, 0));
	OK(cuMemAlloc_v2(&pointer, 512));
	OK(cuMemAllocAsync(&pointer, MIB, NULL));
	OK(cuArrayCreate_v2(&array, &described));
	OK(cuCtxDestroy_v2(context));
	use_card(0);
	EXPECT(0, lost());
}

int main(void)
{
	use_machine(CARD_A);
	in_child(what_is_larger_than_one_mib_is_rounded_up_to_two);
	in_child(what_is_smaller_shares_blocks);
	in_child(a_larger_one_takes_a_hole_that_is_wide_enough);
	in_child(a_block_comes_back_with_its_last);
	in_child(arrays_are_kept_in_tiles);
	in_child(a_pool_grows_and_shrinks_by_chunks);
	in_child(a_threshold_keeps_chunks_and_a_trim_gives_them_back);
	in_child(a_destroyed_pool_lives_until_its_last_is_freed);
	in_child(physical_memory_lives_while_anything_refers_to_it);
	in_child(an_exported_descriptor_keeps_memory);
	in_child(host_memory_takes_nothing_and_can_be_written);
	in_child(a_pointer_tells_where_it_is_from);
	in_child(managed_memory_has_no_end_at_the_card);
	in_child(the_old_calls_work_in_the_old_contexts);
	in_child(a_context_takes_its_memory_along);
	remove_machine();
	return 0;
}
