/*
 * Contexts: the primary one of each device with its count of users, contexts
 * made by hand, and the stack of current contexts that each thread has.
 */
#include "capture.h"
#include "driver.h"

#include <stdlib.h>

#define STACK_DEPTH 64

static _Thread_local struct {
	CUcontext contexts[STACK_DEPTH];
	int depth;
} stack;

static CUcontext top(void)
{
	return stack.depth ? stack.contexts[stack.depth - 1] : NULL;
}

CUresult current_context(CUcontext *context)
{
	NEED_INIT();
	*context = top();
	if (!*context)
		return CUDA_ERROR_INVALID_CONTEXT;
	return object_is(*context, CONTEXT) ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

/* Both with the driver's lock held. */
static CUresult open_context(CUcontext *out, CUdevice device, unsigned flags)
{
	sim_machine_refresh(&driver.machine);
	if (device_card(device)->health == SIM_LOST)
		return CUDA_ERROR_DEVICE_UNAVAILABLE;
	if (!sim_context_begin(&driver.machine, driver.process, driver.card_of[device]))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUcontext context = object_new(CONTEXT, sizeof *context);
	if (!context)
		return CUDA_ERROR_OUT_OF_MEMORY;
	context->device = device;
	context->flags = flags;
	context->api_version = 3020;
	context->next = driver.contexts;
	driver.contexts = context;
	*out = context;
	return CUDA_SUCCESS;
}

static void close_context(CUcontext context)
{
	CUcontext *link = &driver.contexts;
	while (*link != context)
		link = &(*link)->next;
	*link = context->next;
	memory_forget_context(context);
	streams_forget_context(context);
	modules_forget_context(context);
	limits_forget_context(context);
	sim_context_end(&driver.machine, driver.process, driver.card_of[context->device]);
	object_end(context);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	struct primary *primary = &driver.primary[device];
	driver_lock();
	if (!primary->context)
		result = open_context(&primary->context, device, primary->flags);
	if (result == CUDA_SUCCESS) {
		primary->uses++;
		*context = primary->context;
	}
	driver_unlock();
	return result;
}

static CUresult release_primary(CUdevice device, bool all)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	struct primary *primary = &driver.primary[device];
	driver_lock();
	if (!primary->context) {
		result = all ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
	} else if (all || --primary->uses == 0) {
		close_context(primary->context);
		primary->context = NULL;
		primary->uses = 0;
	}
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
	return release_primary(device, false);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
	return release_primary(device, false);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
	return release_primary(device, true);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
	return release_primary(device, true);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	driver.primary[device].flags = flags;
	if (driver.primary[device].context)
		driver.primary[device].context->flags = flags;
	driver_unlock();
	return CUDA_SUCCESS;
}

/* Before CUDA 11 the flags of a primary context in use could not change. */
SIM_EXPORT CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned int flags)
{
	CUresult result = ready_device(device);
	if (result == CUDA_SUCCESS && driver.primary[device].context)
		return CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE;
	return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

SIM_EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	driver_lock();
	if (flags)
		*flags = driver.primary[device].flags;
	if (active)
		*active = driver.primary[device].context != NULL;
	driver_unlock();
	return CUDA_SUCCESS;
}

static CUresult push(CUcontext context)
{
	if (stack.depth == STACK_DEPTH)
		return CUDA_ERROR_OUT_OF_MEMORY;
	stack.contexts[stack.depth++] = context;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
	CUresult result = ready_device(device);
	if (result != CUDA_SUCCESS)
		return result;
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	result = open_context(context, device, flags);
	driver_unlock();
	return result == CUDA_SUCCESS ? push(*context) : result;
}

SIM_EXPORT CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device)
{
	CUresult result = cuCtxCreate_v2(context, flags, device);
	if (result == CUDA_SUCCESS)
		(*context)->api_version = 3010;
	return result;
}

SIM_EXPORT CUresult cuCtxCreate_v3(CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned int flags,
				   CUdevice device)
{
	if (affinity && count > 0)
		return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
	return cuCtxCreate_v2(context, flags, device);
}

SIM_EXPORT CUresult cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *parameters, unsigned int flags,
				   CUdevice device)
{
	(void)parameters;
	return cuCtxCreate_v2(context, flags, device);
}

static bool is_primary(CUcontext context)
{
	return driver.primary[context->device].context == context;
}

SIM_EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
	NEED_INIT();
	if (!object_is(context, CONTEXT) || is_primary(context))
		return CUDA_ERROR_INVALID_CONTEXT;
	driver_lock();
	close_context(context);
	driver_unlock();
	if (top() == context)
		stack.depth--;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxDestroy(CUcontext context)
{
	return cuCtxDestroy_v2(context);
}

/* One more use of the calling thread's context. */
SIM_EXPORT CUresult cuCtxAttach(CUcontext *context, unsigned int flags)
{
	NEED_INIT();
	if (!top())
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!context || flags || is_primary(top()))
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	top()->attached++;
	driver_unlock();
	*context = top();
	return CUDA_SUCCESS;
}

/* One less; with the last one it ends. */
SIM_EXPORT CUresult cuCtxDetach(CUcontext context)
{
	NEED_INIT();
	if (!object_is(context, CONTEXT) || context != top())
		return CUDA_ERROR_INVALID_CONTEXT;
	driver_lock();
	bool last = !context->attached;
	context->attached -= !last;
	driver_unlock();
	return last ? cuCtxDestroy_v2(context) : CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context)
{
	NEED_INIT();
	return object_is(context, CONTEXT) ? push(context) : CUDA_ERROR_INVALID_CONTEXT;
}

SIM_EXPORT CUresult cuCtxPushCurrent(CUcontext context)
{
	return cuCtxPushCurrent_v2(context);
}

SIM_EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
	NEED_INIT();
	if (!stack.depth)
		return CUDA_ERROR_INVALID_CONTEXT;
	CUcontext popped = stack.contexts[--stack.depth];
	if (context)
		*context = popped;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxPopCurrent(CUcontext *context)
{
	return cuCtxPopCurrent_v2(context);
}

/* Replaces the top of the stack; NULL empties that place. */
SIM_EXPORT CUresult cuCtxSetCurrent(CUcontext context)
{
	NEED_INIT();
	if (context && !object_is(context, CONTEXT))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (stack.depth)
		stack.depth--;
	return context ? push(context) : CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxGetCurrent(CUcontext *context)
{
	NEED_INIT();
	if (!context)
		return CUDA_ERROR_INVALID_VALUE;
	*context = top();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxGetDevice(CUdevice *device)
{
	NEED_CONTEXT(context);
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	*device = context->device;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxGetFlags(unsigned int *flags)
{
	NEED_CONTEXT(context);
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = context->flags;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxGetApiVersion(CUcontext context, unsigned int *version)
{
	NEED_INIT();
	if (!context)
		context = top();
	if (!object_is(context, CONTEXT))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	*version = context->api_version;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuCtxSynchronize(void)
{
	NEED_CONTEXT(context);
	NEED_NO_CAPTURE();
	timeline_wait(context->tail);
	memory_synchronized(context);
	return CUDA_SUCCESS;
}
