/*
 * The forms of before CUDA 3.2, whose addresses have 32 bits, are refused in contexts of later ones, as a 64-bit driver
 * does (580.159.04: CUDA_ERROR_INVALID_CONTEXT in a primary context).  In one of theirs every allocation has 2 MiB
 * of its own, so that the few addresses are told apart.
 */
#include <string.h>

#include "memory.h"

#define OLD_ADDRESSES 0x10000000ull

static bool old_taken[(UINT32_MAX - OLD_ADDRESSES) / BLOCK];

static uint64_t old_addresses(uint64_t count)
{
	uint64_t run = 0;
	for (uint64_t i = 0; i < sizeof old_taken; i++) {
		run = old_taken[i] ? 0 : run + 1;
		if (run == count)
			return OLD_ADDRESSES + (i + 1 - count) * BLOCK;
	}
	return 0;
}

static void mark_old(CUdeviceptr address, uint64_t bytes, bool taken)
{
	memset(&old_taken[(address - OLD_ADDRESSES) / BLOCK], taken, bytes / BLOCK);
}

void memory_forget_old(CUdeviceptr address, uint64_t bytes)
{
	if (address < UINT32_MAX)
		mark_old(address, bytes, false);
}

static bool enter_old(struct allocation *filled)
{
	filled->charged = round_up(filled->bytes, BLOCK);
	filled->address = old_addresses(filled->charged / BLOCK);
	if (!filled->address || !sim_memory_take(&driver.machine, driver.process, filled->card, filled->charged))
		return false;
	if (!memory_enter(filled)) {
		sim_memory_give(&driver.machine, driver.process, filled->card, filled->charged);
		return false;
	}
	mark_old(filled->address, filled->charged, true);
	return true;
}

static CUresult old_context(CUcontext *context)
{
	CUresult result = current_context(context);
	return result == CUDA_SUCCESS && (*context)->api_version >= 3020 ? CUDA_ERROR_INVALID_CONTEXT : result;
}

SIM_EXPORT CUresult cuMemAlloc(CUdeviceptr_v1 *out, unsigned int bytes)
{
	CUcontext context;
	CUresult result = old_context(&context);
	if (result != CUDA_SUCCESS)
		return result;
	if (!out || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	struct allocation filled = {.bytes = bytes, .kind = PLAIN, .context = context,
				    .card = driver.card_of[context->device]};
	driver_lock();
	bool entered = enter_old(&filled);
	driver_unlock();
	if (entered)
		*out = (CUdeviceptr_v1)filled.address;
	return entered ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuMemAllocPitch(CUdeviceptr_v1 *out, unsigned int *pitch, unsigned int width, unsigned int height,
				    unsigned int element)
{
	uint64_t wide = round_up(width, PLACE);
	if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16))
		return CUDA_ERROR_INVALID_VALUE;
	if (wide * height > UINT32_MAX)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = cuMemAlloc(out, (unsigned int)(wide * height));
	if (result == CUDA_SUCCESS)
		*pitch = (unsigned int)wide;
	return result;
}

SIM_EXPORT CUresult cuMemFree(CUdeviceptr_v1 address)
{
	CUcontext context;
	CUresult result = old_context(&context);
	return result == CUDA_SUCCESS ? cuMemFree_v2(address) : result;
}
