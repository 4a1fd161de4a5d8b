/*
 * Contexts: what the driver takes of the device for one counts to the slice, and what is in one goes with it. None is made here,
 * and nothing is done before the program makes one.
 */
#include <pthread.h>

#include "current.h"
#include "footprint.h"
#include "samples.h"

/* Of each device, the context that is retained. */
static CUcontext primaries[HETERO_DEVICES];

/* Whoever finds the primary context there must know that it is paid for. */
static pthread_mutex_t retaining = PTHREAD_MUTEX_INITIALIZER;

static void in_child(void)
{
	pthread_mutex_init(&retaining, NULL);
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

static void take_turn(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, prepare);
	pthread_mutex_lock(&retaining);
}

static bool primary_active(CUdevice device)
{
	unsigned int flags;
	int active = 0;
	return cuda_real()->cuDevicePrimaryCtxGetState &&
	       cuda_real()->cuDevicePrimaryCtxGetState(device, &flags, &active) == CUDA_SUCCESS && active;
}

static CUcontext *primary_of(CUdevice device)
{
	return device >= 0 && device < (CUdevice)HETERO_DEVICES ? &primaries[device] : NULL;
}

/* The memory that was allocated in it is gone as well. */
static void ended(CUcontext context, unsigned position)
{
	footprint_forget_context(context);
	memory_context_ended(position, !footprint_any_context(position));
}

static CUresult retain_first(CUresult (*real)(CUcontext *, CUdevice), CUcontext *context, CUdevice device)
{
	struct footprint before = footprint_begin(device);
	CUresult result = real(context, device);
	bool paid = result == CUDA_SUCCESS && footprint_charge(&before, *context, *context);
	if (paid && primary_of(device))
		*primary_of(device) = *context;
	if (result == CUDA_SUCCESS && !paid) {
		cuda_real()->cuDevicePrimaryCtxRelease_v2(device);
		footprint_forget_context(*context);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	footprint_end(&before);
	return result;
}

CUresult hook_primary_ctx_retain(CUresult (*real)(CUcontext *, CUdevice), CUcontext *context, CUdevice device)
{
	take_turn();
	CUresult result = primary_active(device) ? real(context, device) : retain_first(real, context, device);
	pthread_mutex_unlock(&retaining);
	return result;
}

/* Releases and resets: what counts is whether the context is still there. */
CUresult hook_primary_ctx_release(CUresult (*real)(CUdevice), CUdevice device)
{
	samples_forget();
	take_turn();
	CUresult result = real(device);
	current_forget();
	CUcontext *context = primary_of(device);
	if (result == CUDA_SUCCESS && context && *context && !primary_active(device)) {
		ended(*context, slice_device(device));
		*context = NULL;
	}
	pthread_mutex_unlock(&retaining);
	return result;
}

static CUresult created(CUresult result, const CUcontext *context, const struct footprint *before)
{
	current_forget(); /* a new context is current at once */
	if (result == CUDA_SUCCESS && !footprint_charge(before, *context, *context)) {
		cuda_real()->cuCtxDestroy_v2(*context);
		footprint_forget_context(*context);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	footprint_end(before);
	return result;
}

CUresult hook_ctx_create(CUresult (*real)(CUcontext *, unsigned int, CUdevice), CUcontext *context, unsigned int flags,
			 CUdevice device)
{
	struct footprint before = footprint_begin(device);
	return created(real(context, flags, device), context, &before);
}

CUresult hook_ctx_create_affinity(CUresult (*real)(CUcontext *, CUexecAffinityParam *, int, unsigned int, CUdevice),
				  CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned int flags,
				  CUdevice device)
{
	struct footprint before = footprint_begin(device);
	return created(real(context, affinity, count, flags, device), context, &before);
}

CUresult hook_ctx_create_params(CUresult (*real)(CUcontext *, CUctxCreateParams *, unsigned int, CUdevice),
				CUcontext *context, CUctxCreateParams *params, unsigned int flags, CUdevice device)
{
	struct footprint before = footprint_begin(device);
	return created(real(context, params, flags, device), context, &before);
}

CUresult hook_ctx_destroy(CUresult (*real)(CUcontext), CUcontext context)
{
	unsigned position;
	samples_forget();
	bool found = footprint_position(context, &position);
	CUresult result = real(context);
	current_forget();
	if (result == CUDA_SUCCESS && found)
		ended(context, position);
	return result;
}
