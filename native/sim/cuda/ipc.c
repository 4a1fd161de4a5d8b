/*
 * Memory of other processes. It stays with the process that allocated it: who opens a handle, or imports what another
 * library exported, gets an address and takes nothing of the card.
 *
 * Simplification: opening a handle twice gives two addresses, where a driver counts how often it was opened.
 */
#include "memory.h"

#include <string.h>

#define HANDLE_MAGIC 0x43504948u

/* What a handle says, in the 64 bytes that a driver fills as it likes. */
struct ipc {
	uint32_t magic, card;
	uint64_t bytes, joined_ns;
	uint32_t slot; /* of the process that has the memory */
};

struct CUextMemory_st {
	struct object object;
	uint64_t bytes;
};

_Static_assert(sizeof(struct ipc) <= sizeof(CUipcMemHandle), "a handle has 64 bytes");
_Static_assert(sizeof(struct CUextMemory_st) <= sizeof(struct CUfunc_st), "objects have the size of the largest (driver.c)");

SIM_EXPORT CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr pointer)
{
	NEED_CONTEXT(context);
	(void)context;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	const struct allocation *found = memory_find(pointer);
	bool own = found && found->kind == PLAIN;
	struct ipc ipc = {.magic = HANDLE_MAGIC,
			  .card = own ? found->card : 0,
			  .bytes = own ? found->bytes : 0,
			  .joined_ns = driver.process->joined_ns,
			  .slot = (uint32_t)(driver.process - driver.machine.state->processes)};
	driver_unlock();
	if (!own)
		return CUDA_ERROR_INVALID_VALUE;
	memset(handle, 0, sizeof *handle);
	memcpy(handle, &ipc, sizeof ipc);
	return CUDA_SUCCESS;
}

/* A range of the context's addresses without memory of its own. */
static CUresult enter(CUcontext context, uint64_t bytes, enum memory_kind kind, CUdeviceptr *out)
{
	struct allocation filled = {.bytes = bytes, .kind = kind, .context = context,
				    .card = driver.card_of[context->device]};
	driver_lock();
	filled.address = memory_reserve_addresses(bytes, BLOCK);
	bool entered = memory_enter(&filled);
	driver_unlock();
	if (entered)
		*out = filled.address;
	return entered ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static bool owner_lives(const struct ipc *ipc)
{
	struct sim_state *state = driver.machine.state;
	sim_lock(state);
	sim_sweep(state);
	const struct sim_process *owner = &state->processes[ipc->slot % SIM_PROCESSES];
	bool lives = owner->taken && owner->joined_ns == ipc->joined_ns;
	sim_unlock(state);
	return lives;
}

SIM_EXPORT CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *pointer, CUipcMemHandle handle, unsigned int flags)
{
	NEED_CONTEXT(context);
	struct ipc ipc;
	memcpy(&ipc, &handle, sizeof ipc);
	if (!pointer || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS || ipc.magic != HANDLE_MAGIC ||
	    ipc.card != driver.card_of[context->device] || !owner_lives(&ipc))
		return CUDA_ERROR_INVALID_VALUE;
	if (&driver.machine.state->processes[ipc.slot] == driver.process)
		return CUDA_ERROR_INVALID_CONTEXT; /* whoever has the memory has its address as well */
	return enter(context, ipc.bytes, OPENED, pointer);
}

SIM_EXPORT CUresult cuIpcOpenMemHandle(CUdeviceptr *pointer, CUipcMemHandle handle, unsigned int flags)
{
	return cuIpcOpenMemHandle_v2(pointer, handle, flags);
}

SIM_EXPORT CUresult cuIpcCloseMemHandle(CUdeviceptr pointer)
{
	NEED_CONTEXT(context);
	(void)context;
	driver_lock();
	struct allocation *found = memory_find(pointer);
	bool opened = found && found->address == pointer && found->kind == OPENED;
	if (opened)
		memory_discard(found);
	driver_unlock();
	return opened ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuImportExternalMemory(CUexternalMemory *out, const CUDA_EXTERNAL_MEMORY_HANDLE_DESC *description)
{
	NEED_INIT();
	if (!out || !description || !description->size ||
	    description->type != CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUexternalMemory memory = object_new(EXTERNAL, sizeof *memory);
	if (memory)
		memory->bytes = description->size;
	driver_unlock();
	*out = memory;
	return memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuExternalMemoryGetMappedBuffer(CUdeviceptr *pointer, CUexternalMemory memory,
						    const CUDA_EXTERNAL_MEMORY_BUFFER_DESC *description)
{
	NEED_CONTEXT(context);
	if (!object_is(memory, EXTERNAL))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!pointer || !description || !description->size || description->offset > memory->bytes ||
	    description->size > memory->bytes - description->offset)
		return CUDA_ERROR_INVALID_VALUE;
	return enter(context, description->size, IMPORTED, pointer);
}

SIM_EXPORT CUresult cuDestroyExternalMemory(CUexternalMemory memory)
{
	NEED_INIT();
	if (!object_is(memory, EXTERNAL))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	object_end(memory);
	driver_unlock();
	return CUDA_SUCCESS;
}
