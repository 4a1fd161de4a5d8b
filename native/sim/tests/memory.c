/* Memory of one process: what is granted, what is refused, and with which code. */
#include "check.h"

static void calls_before_init_are_refused(void)
{
	CUdeviceptr pointer;
	int count;
	EXPECT(CUDA_ERROR_NOT_INITIALIZED, cuMemAlloc_v2(&pointer, MIB));
	EXPECT(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount(&count));
}

static void calls_without_a_context_are_refused(void)
{
	CUdeviceptr pointer;
	OK(cuInit(0));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc_v2(&pointer, MIB));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuCtxSynchronize());
}

static void wrong_arguments_are_told_as_the_driver_tells_them(void)
{
	CUdeviceptr pointer;
	size_t pitch;
	use_card(0);
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2(&pointer, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2(NULL, MIB));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAllocManaged(&pointer, MIB, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAllocPitch_v2(&pointer, &pitch, 512, 0, 4));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(0xdead000));
	OK(cuMemFree_v2(0));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&pointer, SIZE_MAX));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAllocPitch_v2(&pointer, &pitch, SIZE_MAX / 2, SIZE_MAX / 2, 4));
}

static void a_full_card_refuses_and_a_free_makes_room(void)
{
	CUdeviceptr pointers[16], extra;
	use_card(0);
	for (int i = 0; i < 16; i++)
		OK(cuMemAlloc_v2(&pointers[i], 64 * MIB));
	EXPECT(0, free_mib());
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&extra, 1));
	OK(cuMemFree_v2(pointers[7]));
	OK(cuMemAlloc_v2(&extra, 64 * MIB));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(pointers[7]));
}

static void all_five_calls_take_from_the_same_card(void)
{
	CUmemAllocationProp device = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemGenericAllocationHandle handle;
	CUdeviceptr plain, managed, pitched, async;
	size_t pitch;
	use_card(0);
	OK(cuMemAlloc_v2(&plain, 100 * MIB));
	OK(cuMemAllocManaged(&managed, 100 * MIB, CU_MEM_ATTACH_GLOBAL));
	OK(cuMemAllocPitch_v2(&pitched, &pitch, MIB - 1, 100, 4));
	EXPECT(MIB, pitch);
	OK(cuMemAllocAsync(&async, 100 * MIB, NULL));
	OK(cuMemCreate(&handle, 100 * MIB, &device, 0));
	EXPECT(496, free_mib()); /* the pool takes chunks of 32 MiB */
	OK(cuMemFree_v2(plain));
	OK(cuMemFree_v2(managed));
	OK(cuMemFree_v2(pitched));
	OK(cuMemFreeAsync(async, NULL));
	OK(cuMemRelease(handle));
	OK(cuCtxSynchronize());
	EXPECT(1024, free_mib());
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemRelease(handle));
}

static void a_handle_is_a_multiple_of_the_granularity(void)
{
	CUmemAllocationProp device = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemGenericAllocationHandle handle;
	size_t granularity;
	use_card(0);
	OK(cuMemGetAllocationGranularity(&granularity, &device, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
	EXPECT(2 * MIB, granularity);
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemCreate(&handle, granularity + 1, &device, 0));
	device.location.id = 5;
	EXPECT(CUDA_ERROR_INVALID_DEVICE, cuMemCreate(&handle, granularity, &device, 0));
}

static void managed_memory_can_be_written_by_the_host(void)
{
	CUdeviceptr pointer;
	use_card(0);
	OK(cuMemAllocManaged(&pointer, MIB, CU_MEM_ATTACH_GLOBAL));
	memset((void *)(uintptr_t)pointer, 0x5a, MIB);
	OK(cuMemFree_v2(pointer));
}

static void copies_need_a_range_inside_one_allocation(void)
{
	static char host[4096];
	CUdeviceptr pointer, base;
	size_t bytes;
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 4096));
	OK(cuMemcpyHtoD_v2(pointer, host, 4096));
	OK(cuMemcpyDtoH_v2(host, pointer + 96, 4000));
	OK(cuMemsetD32_v2(pointer, 7, 1024));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(pointer + 1, host, 4096));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2(pointer, 0, 4097));
	OK(cuMemGetAddressRange_v2(&base, &bytes, pointer + 4095));
	EXPECT(pointer, base);
	EXPECT(4096, bytes);
	EXPECT(CUDA_ERROR_NOT_FOUND, cuMemGetAddressRange_v2(&base, &bytes, pointer + 4096));
}

static void ten_thousand_cycles_leave_nothing_behind(void)
{
	use_card(0);
	for (int cycle = 0; cycle < 10000; cycle++) {
		CUdeviceptr one, two;
		OK(cuMemAlloc_v2(&one, 600 * MIB));
		OK(cuMemAlloc_v2(&two, 424 * MIB));
		EXPECT(true, one != two);
		OK(cuMemFree_v2(one));
		OK(cuMemFree_v2(two));
	}
	EXPECT(1024, free_mib());
}

int main(void)
{
	use_machine(CARD_A);
	in_child(calls_before_init_are_refused);
	in_child(calls_without_a_context_are_refused);
	in_child(wrong_arguments_are_told_as_the_driver_tells_them);
	in_child(a_full_card_refuses_and_a_free_makes_room);
	in_child(all_five_calls_take_from_the_same_card);
	in_child(a_handle_is_a_multiple_of_the_granularity);
	in_child(managed_memory_can_be_written_by_the_host);
	in_child(copies_need_a_range_inside_one_allocation);
	in_child(ten_thousand_cycles_leave_nothing_behind);
	remove_machine();
	return 0;
}
