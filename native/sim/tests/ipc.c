/* Memory of other processes: an address of it takes nothing, and goes by its own call. */
#include "check.h"

static int handle_pipe[2];

static void open_it(void)
{
	CUipcMemHandle handle;
	CUdeviceptr opened, old;
	EXPECT((int)sizeof handle, read(handle_pipe[0], &handle, sizeof handle));
	use_card(0);
	EXPECT(1024 - 256, free_mib());
	OK(cuIpcOpenMemHandle_v2(&opened, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	OK(cuIpcOpenMemHandle(&old, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	EXPECT(1024 - 256, free_mib());
	OK(cuMemsetD8_v2(opened + 1, 0, 256 * MIB - 1));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2(opened + 1, 0, 256 * MIB));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(opened));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuIpcOpenMemHandle_v2(&old, handle, 0));
	OK(cuIpcCloseMemHandle(opened));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuIpcCloseMemHandle(opened));
	EXPECT(1024 - 256, free_mib());
}

static void memory_is_opened_by_another_process(void)
{
	CUipcMemHandle handle;
	CUdeviceptr pointer;
	OK(pipe(handle_pipe));
	pid_t child = start_child(open_it); /* before this process starts its driver */
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 256 * MIB));
	OK(cuIpcGetMemHandle(&handle, pointer));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuIpcOpenMemHandle_v2(&pointer, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuIpcGetMemHandle(&handle, 4096));
	EXPECT((int)sizeof handle, write(handle_pipe[1], &handle, sizeof handle));
	expect_child(child);
	EXPECT(1024 - 256, free_mib());
}

static void imported_memory_is_mapped_and_freed(void)
{
	CUexternalMemory memory;
	CUdeviceptr pointer;
	const CUDA_EXTERNAL_MEMORY_HANDLE_DESC description = {.type = CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD,
							      .size = 64 * MIB};
	CUDA_EXTERNAL_MEMORY_BUFFER_DESC buffer = {.offset = MIB, .size = 64 * MIB};
	use_card(0);
	OK(cuImportExternalMemory(&memory, &description));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuExternalMemoryGetMappedBuffer(&pointer, memory, &buffer));
	buffer.size = 63 * MIB;
	OK(cuExternalMemoryGetMappedBuffer(&pointer, memory, &buffer));
	OK(cuMemsetD8_v2(pointer, 0, 63 * MIB));
	EXPECT(1024, free_mib());
	OK(cuMemFree_v2(pointer));
	OK(cuDestroyExternalMemory(memory));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuDestroyExternalMemory(memory));
}

int main(void)
{
	use_machine(CARD_A);
	in_child(memory_is_opened_by_another_process);
	in_child(imported_memory_is_mapped_and_freed);
	remove_machine();
	return 0;
}
