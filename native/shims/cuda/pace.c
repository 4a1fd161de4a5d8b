/*
 * Pacing: a launch waits while the slice's time is overdrawn, is charged what its kernel is predicted to take, and now and then measured,
 * so that the predictions are right. Compute fails open: what cannot be measured is launched all the same.
 *
 * Work in flight is bounded, since time is charged before a launch and not when it is over: a slice is never further
 * ahead than its burst, one launch of each thread, and UNKNOWN_AHEAD launches of a kind that was never measured.
 */
#include "pace.h"

#include <time.h>

#include "estimate.h"
#include "shim.h"

/* Launches of an unknown kind that may be queued before one of them has ended... */
#define UNKNOWN_AHEAD 8
/* ...and for how long a further one is held at most: a kernel may be waiting for the very one that is held. */
#define PATIENCE_NS 100000000
#define LOOK_NS 500000

static uint64_t key_of(CUfunction function, const unsigned int geometry[6])
{
	uint64_t key = (uint64_t)(uintptr_t)function;
	for (int i = 0; i < 6; i++)
		key = (key ^ geometry[i]) * 0x9E3779B97F4A7C15u;
	return key ^ key >> 29;
}

static void count_launches(struct hetero_region *region, unsigned position, unsigned launches)
{
	atomic_fetch_add_explicit(&region->devices[position].launches, launches, memory_order_relaxed);
}

/* Charges the prediction for one launch and says whether it is to be measured. False, and nothing is done, when too many of
 * an unknown kind are queued already. */
static bool account(struct hetero_region *region, uint64_t key, bool patient, struct paced *paced)
{
	samples_lock();
	samples_collect(region);
	struct estimate *estimate = estimate_of(key);
	bool accounted = !patient || estimate_suffices(estimate, UNKNOWN_AHEAD);
	if (accounted && estimate_wants_sample(estimate))
		paced->sample = samples_begin(key, paced->position, 0);
	if (accounted)
		paced->charged = estimate_charge(estimate);
	samples_unlock();
	return accounted;
}

static void admit(struct hetero_region *region, uint64_t key, struct paced *paced)
{
	const struct timespec moment = {.tv_nsec = LOOK_NS};
	hetero_pacer_wait(region, paced->position);
	for (int looks = PATIENCE_NS / LOOK_NS; !account(region, key, looks > 0, paced); looks--)
		nanosleep(&moment, NULL);
	count_launches(region, paced->position, 1);
	hetero_pacer_charge(region, paced->position, paced->charged);
}

/* The same where there is no limit: one measurement stands for many launches. */
static void observe(struct hetero_region *region, uint64_t key, struct paced *paced)
{
	unsigned every = samples_observe_every();
	samples_lock();
	samples_collect(region);
	paced->sample = samples_begin(key, paced->position, every);
	samples_unlock();
	count_launches(region, paced->position, every);
}

static bool any_limited(const struct hetero_region *region)
{
	for (unsigned position = 0; position < HETERO_DEVICES; position++)
		if (hetero_pacer_limits(region, position))
			return true;
	return false;
}

static bool observers_turn(void)
{
	static _Thread_local unsigned passed;
	if (++passed < samples_observe_every())
		return false;
	passed = 0;
	return true;
}

/* False when this launch goes without a look at the slice. The device is asked for only when it matters. */
static bool concerns(const struct hetero_region *region, unsigned *position)
{
	bool turn = !any_limited(region);
	if (turn && !observers_turn())
		return false;
	if (!slice_current_device(position) || *position >= HETERO_DEVICES)
		return false;
	return turn || hetero_pacer_limits(region, *position) || observers_turn();
}

/* A stream that is being captured runs nothing: neither wait nor events belong there. One that must not even be asked is not
 * to be touched either. */
static bool captured(const struct stream_calls *calls, CUstream stream)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	return calls->capturing &&
	       (calls->capturing(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE);
}

struct paced pace_before(const struct stream_calls *calls, CUfunction function, const unsigned int geometry[6],
			 CUstream stream)
{
	struct hetero_region *region = slice_region();
	struct paced paced = {.calls = calls, .stream = stream};
	if (!region || !concerns(region, &paced.position) || captured(calls, stream))
		return paced;
	if (hetero_pacer_limits(region, paced.position))
		admit(region, key_of(function, geometry), &paced);
	else
		observe(region, key_of(function, geometry), &paced);
	paced.started = paced.sample && calls->record(paced.sample->start, stream) == CUDA_SUCCESS;
	return paced;
}

/* A launch that failed took no time, and what its events would tell is nothing to learn from. */
CUresult pace_after(const struct paced *paced, CUresult result)
{
	if (paced->sample) {
		bool recorded = paced->started && result == CUDA_SUCCESS &&
				paced->calls->record(paced->sample->end, paced->stream) == CUDA_SUCCESS;
		samples_lock();
		samples_end(paced->sample, recorded);
		samples_unlock();
	}
	if (result != CUDA_SUCCESS && paced->charged)
		hetero_pacer_charge(slice_region(), paced->position, -paced->charged);
	return result;
}
