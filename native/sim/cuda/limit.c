/*
 * The limits of a context, and the memory that the card keeps for them. Local memory is kept for all threads that the card can
 * run at once; what a context starts with (1 KiB a thread) is part of what a context takes. The heap is taken when a module is
 * loaded that could use it.
 */
#include "driver.h"

#define FIRST_STACK 1024u
#define FIRST_PRINTF (1024u * 1024u)
#define FIRST_HEAP (8u * 1024u * 1024u)

static bool grow(CUcontext context, uint64_t *taken, uint64_t wanted)
{
	if (wanted <= *taken)
		return true;
	if (!sim_memory_take(&driver.machine, driver.process, driver.card_of[context->device], wanted - *taken))
		return false;
	*taken = wanted;
	return true;
}

bool limits_need_local(CUcontext context, uint64_t bytes)
{
	uint64_t threads = (uint64_t)device_card(context->device)->sm_count * SIM_THREADS_PER_SM;
	if (bytes <= FIRST_STACK)
		return true;
	driver_lock();
	bool grown = grow(context, &context->limits.local_taken, (bytes - FIRST_STACK) * threads);
	driver_unlock();
	return grown;
}

bool limits_need_heap(CUcontext context)
{
	uint64_t heap = context->limits.heap;
	return heap <= FIRST_HEAP || grow(context, &context->limits.heap_taken, heap - FIRST_HEAP);
}

void limits_forget_context(CUcontext context)
{
	uint64_t taken = context->limits.local_taken + context->limits.heap_taken;
	if (taken)
		sim_memory_give(&driver.machine, driver.process, driver.card_of[context->device], taken);
}

SIM_EXPORT CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
	NEED_CONTEXT(context);
	switch (limit) {
	case CU_LIMIT_STACK_SIZE:
		if (!limits_need_local(context, value))
			return CUDA_ERROR_OUT_OF_MEMORY;
		context->limits.stack = value;
		return CUDA_SUCCESS;
	case CU_LIMIT_PRINTF_FIFO_SIZE: context->limits.printf = value; return CUDA_SUCCESS;
	case CU_LIMIT_MALLOC_HEAP_SIZE: context->limits.heap = value; return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

SIM_EXPORT CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
	NEED_CONTEXT(context);
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	const struct context_limits *limits = &context->limits;
	switch (limit) {
	case CU_LIMIT_STACK_SIZE: *value = limits->stack ? limits->stack : FIRST_STACK; return CUDA_SUCCESS;
	case CU_LIMIT_PRINTF_FIFO_SIZE: *value = limits->printf ? limits->printf : FIRST_PRINTF; return CUDA_SUCCESS;
	case CU_LIMIT_MALLOC_HEAP_SIZE: *value = limits->heap ? limits->heap : FIRST_HEAP; return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}
