/*
 * The device of a thread, asked for when a context was made current and at no launch. Contexts become current by the
 * calls below, and by creation and destruction (context.c); with one visible device there is nothing to ask.
 */
#include "current.h"

#include "mps.h"

#include <pthread.h>

static const _Atomic uint32_t nothing;

_Thread_local struct current current = {.seen = CURRENT_UNKNOWN};
const _Atomic uint32_t *current_changes = &nothing;

static int visible_devices(void)
{
	static _Atomic int known;
	int count = atomic_load_explicit(&known, memory_order_relaxed);
	if (!count && cuda_real()->cuDeviceGetCount && cuda_real()->cuDeviceGetCount(&count) == CUDA_SUCCESS)
		atomic_store(&known, count);
	return count;
}

void current_forget(void)
{
	if (visible_devices() != 1)
		current.seen = CURRENT_UNKNOWN;
}

/* What was drawn and launched is its parent's: a forked child has a slot of its own. */
static void forget_in_child(void)
{
	current.seen = CURRENT_UNKNOWN;
	current.every = current.left = 0;
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, forget_in_child);
}

static bool find_position(unsigned *position)
{
	if (visible_devices() == 1)
		*position = slice_device(0);
	else if (!slice_current_device(position))
		return false;
	return *position < HETERO_DEVICES;
}

/* A yield ends by itself, and nobody counts that as a change. */
static bool is_lifted(const struct hetero_region *region)
{
	return current.drawn && !hetero_pacer_limit(region, current.position);
}

void current_settle(struct hetero_region *region)
{
	if (current.every > current.left)
		hetero_pacer_count(region, current.position, 0, current.every - current.left);
	current.every = current.left = 0;
}

static void set_limited(struct hetero_region *region, bool limited)
{
	if (limited) {
		current_settle(region); /* from now on each launch is counted */
		mps_tell(current.position);
	} else if (current.drawn) {
		hetero_pacer_lift(region, current.position);
	}
	current.drawn = limited ? hetero_pacer_drawn(region, current.position) : NULL;
}

/* Whoever lends counts a change of no limit to learn who runs: it makes the next launch come by here. */
bool current_look_up(struct hetero_region *region)
{
	static pthread_once_t prepared = PTHREAD_ONCE_INIT;
	if (current_holds() && !is_lifted(region))
		return true;
	pthread_once(&prepared, prepare);
	current_changes = &region->limits_changed;
	uint32_t changes = atomic_load(current_changes); /* before the limit: a change meanwhile is seen at the next launch */
	if (!find_position(&current.position))
		return false;
	hetero_pacer_wanted(region, current.position);
	set_limited(region, hetero_pacer_limit(region, current.position));
	current.seen = changes;
	return true;
}

static CUresult changed(CUresult result)
{
	current_forget();
	return result;
}

CUresult hook_ctx_set_current(CUresult (*real)(CUcontext), CUcontext context)
{
	return changed(real(context));
}

CUresult hook_ctx_pop_current(CUresult (*real)(CUcontext *), CUcontext *context)
{
	return changed(real(context));
}
