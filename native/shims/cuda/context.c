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

/*
 * False when the driver does not answer for the device: there is none, or this is a forked child, in which nothing is to be
 * asked of NVML either. Then the call that was made says what is wrong.
 */
static bool primary_state(CUdevice device, bool *active)
{
	unsigned int flags;
	int is_active = 0;
	bool answered = cuda_real()->cuDevicePrimaryCtxGetState &&
			cuda_real()->cuDevicePrimaryCtxGetState(device, &flags, &is_active) == CUDA_SUCCESS;
	*active = is_active;
	return answered;
}

static bool primary_ended(CUdevice device)
{
	bool active;
	return primary_state(device, &active) && !active;
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
	CUresult result = slice_answered(before.position, real(context, device));
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
	CUresult result = context && primary_ended(device) ? retain_first(real, context, device) : real(context, device);
	pthread_mutex_unlock(&retaining);
	return result;
}

/* With the turn taken. */
static void settle_primary(CUdevice device)
{
	CUcontext *context = primary_of(device);
	if (!context || !*context || !primary_ended(device))
		return;
	ended(*context, slice_device(device));
	*context = NULL;
}

void context_primaries_settle(void)
{
	take_turn();
	for (CUdevice device = 0; device < (CUdevice)HETERO_DEVICES; device++)
		settle_primary(device);
	pthread_mutex_unlock(&retaining);
}

/* Releases and resets: what counts is whether the context is still there. */
CUresult hook_primary_ctx_release(CUresult (*real)(CUdevice), CUdevice device)
{
	samples_forget();
	take_turn();
	CUresult result = real(device);
	current_forget();
	if (result == CUDA_SUCCESS)
		settle_primary(device);
	pthread_mutex_unlock(&retaining);
	return result;
}

/* A call that makes a context, with its arguments, whichever it is. */
struct creation {
	CUresult (*call)(const struct creation *);
	CUresult (*plain)(CUcontext *, unsigned int, CUdevice);
	CUresult (*with_affinity)(CUcontext *, CUexecAffinityParam *, int, unsigned int, CUdevice);
	CUresult (*with_params)(CUcontext *, CUctxCreateParams *, unsigned int, CUdevice);
	CUcontext *context;
	unsigned int flags;
	CUdevice device;
	CUexecAffinityParam *affinity;
	int count;
	CUctxCreateParams *params;
};

static CUresult create(const struct creation *creation)
{
	bool active;
	if (!creation->context || !primary_state(creation->device, &active))
		return creation->call(creation);
	struct footprint before = footprint_begin(creation->device);
	CUresult result = slice_answered(before.position, creation->call(creation));
	current_forget(); /* a new context is current at once */
	if (result == CUDA_SUCCESS && !footprint_charge(&before, *creation->context, *creation->context)) {
		cuda_real()->cuCtxDestroy_v2(*creation->context);
		footprint_forget_context(*creation->context);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	footprint_end(&before);
	return result;
}

static CUresult call_plain(const struct creation *creation)
{
	return creation->plain(creation->context, creation->flags, creation->device);
}

CUresult hook_ctx_create(CUresult (*real)(CUcontext *, unsigned int, CUdevice), CUcontext *context, unsigned int flags,
			 CUdevice device)
{
	const struct creation creation = {
		.call = call_plain, .plain = real, .context = context, .flags = flags, .device = device};
	return create(&creation);
}

static CUresult call_with_affinity(const struct creation *creation)
{
	return creation->with_affinity(creation->context, creation->affinity, creation->count, creation->flags,
				       creation->device);
}

CUresult hook_ctx_create_affinity(CUresult (*real)(CUcontext *, CUexecAffinityParam *, int, unsigned int, CUdevice),
				  CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned int flags,
				  CUdevice device)
{
	const struct creation creation = {.call = call_with_affinity, .with_affinity = real, .context = context,
					  .flags = flags,	      .device = device,	       .affinity = affinity,
					  .count = count};
	return create(&creation);
}

static CUresult call_with_params(const struct creation *creation)
{
	return creation->with_params(creation->context, creation->params, creation->flags, creation->device);
}

CUresult hook_ctx_create_params(CUresult (*real)(CUcontext *, CUctxCreateParams *, unsigned int, CUdevice),
				CUcontext *context, CUctxCreateParams *params, unsigned int flags, CUdevice device)
{
	const struct creation creation = {.call = call_with_params, .with_params = real, .context = context,
					  .flags = flags,	    .device = device,	 .params = params};
	return create(&creation);
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

/* The old way to end one: that of the calling thread, when it has no other use. Then the thread has it no longer. */
CUresult hook_ctx_detach(CUresult (*real)(CUcontext), CUcontext context)
{
	unsigned position;
	CUcontext left = context;
	samples_forget();
	bool found = footprint_position(context, &position);
	CUresult result = real(context);
	current_forget();
	if (result == CUDA_SUCCESS && found && cuda_real()->cuCtxGetCurrent(&left) == CUDA_SUCCESS && left != context)
		ended(context, position);
	return result;
}
