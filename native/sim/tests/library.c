/* Modules and libraries: what their variables, their functions' local memory and the heap take, and when. */
#include "check.h"

#define VARIABLES                                                                                   \
	".version 7.0\n.target sm_50\n.global .align 4 .b32 counts[1024];\n"                        \
	".global .align 8 .u64 large[8388608];\n"
#define KERNELS                                                                                     \
	".visible .entry plain()\n{\n  ld.local.u32 %r1, [%r2];\n  ret;\n}\n"                       \
	".visible .entry needy(.param .u64 n)\n{\n  .local .align 16 .b8 depot[2048];\n"            \
	"  st.global.u64 [sink], %rd1;\n  ret;\n}\n"

static const char image[] = VARIABLES KERNELS;

static CUlibrary load_library(void)
{
	CUlibrary library;
	OK(cuLibraryLoadData(&library, image, NULL, NULL, 0, NULL, NULL, 0));
	return library;
}

static void variables_take_memory_from_loading_to_unloading(void)
{
	CUmodule module;
	CUdeviceptr address, large;
	size_t bytes;
	use_card(0);
	OK(cuModuleLoadData(&module, image));
	EXPECT(1024 - 66, free_mib()); /* 64 MiB and 4 KiB, in blocks of 2 MiB */
	OK(cuModuleGetGlobal_v2(&address, &bytes, module, "counts"));
	EXPECT(4096, bytes);
	OK(cuModuleGetGlobal_v2(&large, &bytes, module, "large"));
	EXPECT(address + 4096, large);
	EXPECT(CUDA_ERROR_NOT_FOUND, cuModuleGetGlobal_v2(&address, &bytes, module, "larg"));
	OK(cuModuleUnload(module));
	EXPECT(1024, free_mib());
}

static void a_library_is_loaded_at_its_first_use_in_each_context(void)
{
	CUcontext own;
	CUmodule module, again;
	use_card(0);
	CUlibrary library = load_library();
	EXPECT(1024, free_mib());
	OK(cuLibraryGetModule(&module, library));
	OK(cuLibraryGetModule(&again, library));
	EXPECT(true, module == again);
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuModuleUnload(module));
	EXPECT(1024 - 66, free_mib());
	OK(cuCtxCreate_v2(&own, 0, 0));
	OK(cuLibraryGetModule(&again, library));
	EXPECT(false, module == again);
	EXPECT(1024 - 132, free_mib());
	OK(cuCtxDestroy_v2(own));
	EXPECT(1024 - 66, free_mib());
	OK(cuLibraryUnload(library));
	EXPECT(1024, free_mib());
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuLibraryUnload(library));
}

static void a_kernel_of_a_library_is_launched_in_the_current_context(void)
{
	CUkernel kernel;
	CUlibrary owner;
	uint64_t iterations = 1;
	void *parameters[] = {&iterations};
	OK(cuInit(0));
	CUlibrary library = load_library();
	OK(cuLibraryGetKernel(&kernel, library, "plain"));
	OK(cuKernelGetLibrary(&owner, kernel));
	EXPECT(true, owner == library);
	use_card(0);
	OK(cuLaunchKernel((CUfunction)(void *)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL));
	EXPECT(1024 - 66, free_mib());
	OK(cuLibraryUnload(library));
	EXPECT(CUDA_ERROR_INVALID_HANDLE,
	       cuLaunchKernel((CUfunction)(void *)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL));
}

/* 28 processors, 1536 threads of each; 1 KiB of each thread is part of the context. */
static void local_memory_is_taken_at_the_launch_and_kept(void)
{
	CUmodule module;
	CUfunction plain, needy;
	int local;
	use_card(0);
	OK(cuModuleLoadData(&module, ".version 7.0\n" KERNELS));
	OK(cuModuleGetFunction(&plain, module, "plain"));
	OK(cuModuleGetFunction(&needy, module, "needy"));
	OK(cuFuncGetAttribute(&local, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, plain));
	EXPECT(0, local);
	OK(cuFuncGetAttribute(&local, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, needy));
	EXPECT(2048, local);
	OK(cuLaunchKernel(plain, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(1024, free_mib());
	OK(cuLaunchKernel(needy, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(1024 - 42, free_mib());
	OK(cuLaunchKernel(needy, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(1024 - 42, free_mib());
	OK(cuDevicePrimaryCtxReset_v2(0));
	use_card(0);
	EXPECT(1024, free_mib());
}

static void limits_are_kept_and_take_what_they_ask_for(void)
{
	size_t value;
	CUmodule module;
	use_card(0);
	OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
	EXPECT(1024, value);
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 1 << 20));
	OK(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 2048));
	OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
	EXPECT(2048, value);
	EXPECT(1024 - 42, free_mib());
	OK(cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 108 * MIB));
	EXPECT(1024 - 42, free_mib());
	OK(cuModuleLoadData(&module, ".version 7.0\n" KERNELS));
	EXPECT(1024 - 142, free_mib());
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuCtxSetLimit((CUlimit)99, 1));
}

int main(void)
{
	use_machine(CARD_A);
	in_child(variables_take_memory_from_loading_to_unloading);
	in_child(a_library_is_loaded_at_its_first_use_in_each_context);
	in_child(a_kernel_of_a_library_is_launched_in_the_current_context);
	in_child(local_memory_is_taken_at_the_launch_and_kept);
	in_child(limits_are_kept_and_take_what_they_ask_for);
	remove_machine();
	return 0;
}
