/*
 * Launches: wait while the slice's time is overdrawn, charge what the kernel is predicted to take, and measure one launch in some with
 * a pair of events in its own stream. Compute fails open: what cannot be measured is launched all the same.
 */
#include <pthread.h>

#include "estimate.h"
#include "pace.h"
#include "shim.h"

#define PENDING 16
/* Without a limit one launch in some is measured and stands for the others, so that the slice's use is known and they
 * cost nothing: about one for so much device time, odd so that it does not keep step with a program's own rhythm. */
#define OBSERVE_NS 16000000
#define OBSERVE_LEAST 7
#define OBSERVE_MOST 1021

static _Atomic unsigned observe_every = OBSERVE_LEAST;

/* A measured launch whose end has not been seen yet. */
struct sample {
	CUevent start, end; /* NULL: a free place */
	uint64_t key;
	unsigned position;
	unsigned weight; /* launches that it stands for, when nothing is predicted; else 0 */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the samples and the estimates */
static struct sample samples[PENDING];
static unsigned pending;

static uint64_t key_of(CUfunction function, const unsigned int geometry[6])
{
	uint64_t key = (uint64_t)(uintptr_t)function;
	for (int i = 0; i < 6; i++)
		key = (key ^ geometry[i]) * 0x9E3779B97F4A7C15u;
	return key ^ key >> 29;
}

static void forget(struct sample *sample)
{
	cuda_real()->cuEventDestroy_v2(sample->start);
	cuda_real()->cuEventDestroy_v2(sample->end);
	sample->start = sample->end = NULL;
	pending--;
}

/* Takes in an observation. Returns what it stands for. */
static int64_t observed(const struct sample *sample, int64_t ns)
{
	int64_t every = ns ? OBSERVE_NS / ns : OBSERVE_MOST;
	every = every < OBSERVE_LEAST ? OBSERVE_LEAST : every > OBSERVE_MOST ? OBSERVE_MOST : every | 1;
	atomic_store_explicit(&observe_every, (unsigned)every, memory_order_relaxed);
	return ns * sample->weight;
}

/* Device time that a finished sample shows to be owed; 0 while it runs. */
static int64_t finish(struct sample *sample)
{
	float milliseconds = 0;
	CUresult result = cuda_real()->cuEventQuery(sample->end);
	int64_t owed = 0;
	if (result == CUDA_ERROR_NOT_READY)
		return 0;
	if (result == CUDA_SUCCESS &&
	    cuda_real()->cuEventElapsedTime(&milliseconds, sample->start, sample->end) == CUDA_SUCCESS) {
		int64_t ns = (int64_t)((double)milliseconds * 1e6);
		owed = sample->weight ? observed(sample, ns) : estimate_learn(estimate_of(sample->key), ns);
	}
	forget(sample);
	return owed;
}

/* With the lock held: charges what the samples that ended meanwhile tell. */
static void collect(struct hetero_region *region)
{
	for (unsigned i = 0; pending && i < PENDING; i++) {
		unsigned position = samples[i].position;
		int64_t owed = samples[i].end ? finish(&samples[i]) : 0;
		if (owed)
			hetero_pacer_charge(region, position, owed);
	}
}

/* With the lock held: a free place with two fresh events, or NULL. */
static struct sample *begin(uint64_t key, unsigned position, unsigned weight)
{
	for (unsigned i = 0; pending < PENDING && i < PENDING; i++) {
		struct sample *sample = &samples[i];
		if (sample->end)
			continue;
		if (cuda_real()->cuEventCreate(&sample->start, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
			return NULL;
		if (cuda_real()->cuEventCreate(&sample->end, CU_EVENT_DEFAULT) != CUDA_SUCCESS) {
			cuda_real()->cuEventDestroy_v2(sample->start);
			sample->end = NULL;
			return NULL;
		}
		sample->key = key;
		sample->position = position;
		sample->weight = weight;
		pending++;
		return sample;
	}
	return NULL;
}

/* Charges the prediction for one launch. Returns a copy of the events to record around it, if it is to be measured. */
static struct sample account(struct hetero_region *region, unsigned position, uint64_t key)
{
	struct sample chosen = {0};
	pthread_mutex_lock(&lock);
	collect(region);
	struct estimate *estimate = estimate_of(key);
	struct sample *place = estimate_wants_sample(estimate) ? begin(key, position, 0) : NULL;
	estimate->launches++;
	estimate->unsettled += !estimate->ns;
	int64_t predicted = estimate->ns;
	if (place)
		chosen = *place;
	pthread_mutex_unlock(&lock);
	atomic_fetch_add_explicit(&region->devices[position].launches, 1, memory_order_relaxed);
	hetero_pacer_charge(region, position, predicted);
	return chosen;
}

/* The same where there is no limit: one measurement stands for many launches. */
static struct sample observe(struct hetero_region *region, unsigned position)
{
	struct sample chosen = {0};
	unsigned weight = atomic_load_explicit(&observe_every, memory_order_relaxed);
	pthread_mutex_lock(&lock);
	collect(region);
	struct sample *place = begin(0, position, weight);
	if (place)
		chosen = *place;
	pthread_mutex_unlock(&lock);
	atomic_fetch_add_explicit(&region->devices[position].launches, weight, memory_order_relaxed);
	return chosen;
}

/* True when this launch may go without a look at the slice: no device is limited, and it is not this one's turn. */
static bool passes(const struct hetero_region *region)
{
	static _Thread_local unsigned passed;
	for (unsigned position = 0; position < HETERO_DEVICES; position++)
		if (hetero_pacer_limits(region, position))
			return false;
	if (++passed < atomic_load_explicit(&observe_every, memory_order_relaxed))
		return true;
	passed = 0;
	return false;
}

/* A stream that is being captured runs nothing: neither wait nor events belong there. */
static bool captured(const struct stream_calls *calls, CUstream stream)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	return calls->capturing && calls->capturing(stream, &status) == CUDA_SUCCESS &&
	       status != CU_STREAM_CAPTURE_STATUS_NONE;
}

struct paced pace_before(const struct stream_calls *calls, CUfunction function, const unsigned int geometry[6],
			 CUstream stream)
{
	struct hetero_region *region = slice_region();
	struct sample sample = {0};
	unsigned position;
	if (region && !passes(region) && slice_current_device(&position) && position < HETERO_DEVICES &&
	    !captured(calls, stream)) {
		bool limited = hetero_pacer_limits(region, position);
		hetero_pacer_wait(region, position);
		sample = limited ? account(region, position, key_of(function, geometry)) : observe(region, position);
	}
	if (sample.start)
		calls->record(sample.start, stream);
	return (struct paced){.end = sample.end, .stream = stream, .calls = calls};
}

void pace_after(const struct paced *paced)
{
	if (paced->end)
		paced->calls->record(paced->end, paced->stream);
}
