/*
 * Measuring launches. A sample is lent to the thread that launches, which records its events around the kernel; from then on
 * any thread that comes by looks whether the kernel has ended. Nobody waits for one, and there are only so many at once.
 */
#include <pthread.h>

#include "estimate.h"
#include "samples.h"

#define PENDING 16
/* Without a limit one launch in some is measured and stands for the others, so that the slice's use is known and they
 * cost nothing: about one for so much device time, odd so that it does not keep step with a program's own rhythm. */
#define OBSERVE_NS 16000000
#define OBSERVE_LEAST 7
#define OBSERVE_MOST 1021

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sample samples[PENDING];
static unsigned pending;
static _Atomic unsigned observe_every = OBSERVE_LEAST;

static _Thread_local CUstreamCaptureMode mode;

/* Asking for an event's end or making one would break a capture in this thread's mode, though it is none of its events. */
static void exchange_mode(void)
{
	if (cuda_real()->cuThreadExchangeStreamCaptureMode)
		cuda_real()->cuThreadExchangeStreamCaptureMode(&mode);
}

void samples_lock(void)
{
	mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	exchange_mode();
	pthread_mutex_lock(&lock);
}

void samples_unlock(void)
{
	pthread_mutex_unlock(&lock);
	exchange_mode();
}

static bool make_events(struct sample *sample)
{
	if (cuda_real()->cuEventCreate(&sample->start, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
		return false;
	if (cuda_real()->cuEventCreate(&sample->end, CU_EVENT_DEFAULT) == CUDA_SUCCESS)
		return true;
	cuda_real()->cuEventDestroy_v2(sample->start);
	return false;
}

static struct sample *free_place(void)
{
	for (unsigned i = 0; pending < PENDING && i < PENDING; i++)
		if (samples[i].state == SAMPLE_FREE)
			return &samples[i];
	return NULL;
}

struct sample *samples_begin(uint64_t key, unsigned position, unsigned weight)
{
	struct sample *sample = free_place();
	if (!sample || !make_events(sample))
		return NULL;
	sample->state = SAMPLE_LENT;
	sample->key = key;
	sample->position = position;
	sample->weight = weight;
	pending++;
	if (!weight)
		estimate_of(key)->awaited++;
	return sample;
}

static void discard(struct sample *sample)
{
	cuda_real()->cuEventDestroy_v2(sample->start);
	cuda_real()->cuEventDestroy_v2(sample->end);
	struct estimate *estimate = sample->weight ? NULL : estimate_of(sample->key);
	if (estimate && estimate->awaited) /* the row may have gone to another kind meanwhile */
		estimate->awaited--;
	sample->state = SAMPLE_FREE;
	pending--;
}

void samples_end(struct sample *sample, bool recorded)
{
	sample->state = SAMPLE_RECORDED;
	if (!recorded)
		discard(sample);
}

/* Nothing takes no time at all: 0 would mean that it was not measured. */
static int64_t nanoseconds(float milliseconds)
{
	int64_t ns = (int64_t)((double)milliseconds * 1e6);
	return ns > 0 ? ns : 1;
}

unsigned samples_observe_every(void)
{
	return atomic_load_explicit(&observe_every, memory_order_relaxed);
}

/* Takes in an observation. Returns what it stands for: neighbours that it waited for are not counted. */
static int64_t observed(const struct sample *sample, struct estimate *estimate, int64_t measured_ns)
{
	int64_t every = OBSERVE_NS / measured_ns, most = 2 * (int64_t)samples_observe_every();
	most = most < OBSERVE_MOST ? most : OBSERVE_MOST; /* step by step: a short kernel may be followed by long ones */
	every = every < OBSERVE_LEAST ? OBSERVE_LEAST : every > most ? most : every;
	every |= 1;
	atomic_store_explicit(&observe_every, (unsigned)every, memory_order_relaxed);
	estimate_learn(estimate, measured_ns);
	return estimate->ns * sample->weight;
}

/* Device time that a finished sample shows to be owed; 0 while it runs. */
static int64_t finish(struct sample *sample)
{
	float milliseconds = 0;
	int64_t owed = 0;
	CUresult result = cuda_real()->cuEventQuery(sample->end);
	if (result == CUDA_ERROR_NOT_READY)
		return 0;
	if (result == CUDA_SUCCESS &&
	    cuda_real()->cuEventElapsedTime(&milliseconds, sample->start, sample->end) == CUDA_SUCCESS) {
		int64_t ns = nanoseconds(milliseconds);
		struct estimate *estimate = estimate_of(sample->key);
		owed = sample->weight ? observed(sample, estimate, ns) : estimate_learn(estimate, ns);
	}
	discard(sample);
	return owed;
}

void samples_collect(struct hetero_region *region)
{
	for (unsigned i = 0; pending && i < PENDING; i++) {
		int64_t owed = samples[i].state == SAMPLE_RECORDED ? finish(&samples[i]) : 0;
		if (owed)
			hetero_pacer_charge(region, samples[i].position, owed);
	}
}

/* Those that are lent belong to launches under way, which whoever ends their context has to wait for. */
void samples_forget(void)
{
	samples_lock();
	for (unsigned i = 0; i < PENDING; i++)
		if (samples[i].state == SAMPLE_RECORDED)
			discard(&samples[i]);
	samples_unlock();
}
