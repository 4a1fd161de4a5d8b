/*
 * Measuring launches. A sample is lent to the thread that launches, which records its events around the kernel; from then on
 * any thread that comes by looks whether the kernel has ended. Nobody waits for one, and there are only so many at once.
 */
#include <pthread.h>

#include "contention.h"
#include "estimate.h"
#include "samples.h"

#define PENDING 32
/* A pair around nothing, behind other work, measured 1.25 us (H100, driver 580); more than this is not the pair's own. */
#define PAIR_MOST_NS 5000
#define THOROUGH 8
#define THOROUGH_EVERY 64
/* Without a limit one launch in some is measured and stands for the others, so that the slice's use is known and they
 * cost nothing: about one for so much device time, odd so that it does not keep step with a program's own rhythm. */
#define OBSERVE_NS 16000000
#define OBSERVE_LEAST 7
#define OBSERVE_MOST 1021

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sample samples[PENDING];
static unsigned pending, begun;
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

static bool make_event(CUevent *event)
{
	return cuda_real()->cuEventCreate(event, CU_EVENT_DEFAULT) == CUDA_SUCCESS;
}

static void end_events(struct sample *sample)
{
	CUevent events[] = {sample->before, sample->start, sample->end};
	for (unsigned i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i])
			cuda_real()->cuEventDestroy_v2(events[i]);
}

/* What a pair measures of itself is asked at first and now and then: it depends on the card. */
static bool make_events(struct sample *sample)
{
	bool thorough = begun++ < THOROUGH || begun % THOROUGH_EVERY == 0;
	if (make_event(&sample->start) && make_event(&sample->end) && (!thorough || make_event(&sample->before)))
		return true;
	end_events(sample);
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
	if (!sample)
		return NULL;
	*sample = (struct sample){.key = key, .position = position, .weight = weight};
	if (!make_events(sample))
		return NULL;
	sample->state = SAMPLE_LENT;
	pending++;
	if (!weight)
		estimate_of(key)->awaited++;
	return sample;
}

static bool record(CUevent event, CUstream stream, bool per_thread)
{
	const struct cuda_real *real = cuda_real();
	return (per_thread ? real->cuEventRecord_ptsz : real->cuEventRecord)(event, stream) == CUDA_SUCCESS;
}

static bool busy(CUstream stream, bool per_thread)
{
	const struct cuda_real *real = cuda_real();
	CUresult (*query)(CUstream) = per_thread ? real->cuStreamQuery_ptsz : real->cuStreamQuery;
	return query && query(stream) == CUDA_ERROR_NOT_READY;
}

void sample_start(struct sample *sample, CUstream stream, bool per_thread)
{
	sample->behind = busy(stream, per_thread);
	if (sample->before && !record(sample->before, stream, per_thread)) {
		cuda_real()->cuEventDestroy_v2(sample->before);
		sample->before = NULL;
	}
	sample->started = record(sample->start, stream, per_thread);
	sample->launched_ns = hetero_monotonic_ns();
}

bool sample_stop(struct sample *sample, CUstream stream, bool per_thread)
{
	sample->launched_ns = hetero_monotonic_ns() - sample->launched_ns;
	return sample->started && record(sample->end, stream, per_thread);
}

static void discard(struct sample *sample)
{
	end_events(sample);
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

static bool elapsed(CUevent start, CUevent end, int64_t *ns)
{
	float milliseconds = 0;
	if (cuda_real()->cuEventElapsedTime(&milliseconds, start, end) != CUDA_SUCCESS)
		return false;
	*ns = (int64_t)((double)milliseconds * 1e6);
	return true;
}

/* The least that was seen of it; until then nothing is subtracted. */
static int64_t pair_itself(const struct sample *sample)
{
	static int64_t least = INT64_MAX;
	int64_t ns;
	if (sample->before && elapsed(sample->before, sample->start, &ns) && ns >= 0 && ns < least)
		least = ns;
	return least < PAIR_MOST_NS ? least : 0;
}

/*
 * An idle stream begins with the first event, before the host has launched the kernel: that time is not the kernel's. Nothing
 * takes no time at all: 0 would mean that it was not measured.
 */
static bool measure(const struct sample *sample, struct measurement *measurement)
{
	int64_t ns;
	if (!elapsed(sample->start, sample->end, &ns))
		return false;
	ns -= pair_itself(sample);
	if (!sample->behind)
		ns -= (int64_t)sample->launched_ns < ns / 2 ? (int64_t)sample->launched_ns : ns / 2;
	*measurement = (struct measurement){
		.ns = ns > 0 ? ns : 1,
		.charged = sample->charged,
		.alone = contention_alone(sample->position),
		.exact = sample->behind || ns >= ESTIMATE_EXACT_NS,
	};
	return true;
}

unsigned samples_observe_every(void)
{
	return atomic_load_explicit(&observe_every, memory_order_relaxed);
}

/* Takes in an observation. Returns what it stands for: neighbours that it waited for are not counted. */
static int64_t observed(const struct sample *sample, struct estimate *estimate, const struct measurement *measurement)
{
	int64_t every = OBSERVE_NS / measurement->ns, most = 2 * (int64_t)samples_observe_every();
	most = most < OBSERVE_MOST ? most : OBSERVE_MOST; /* step by step: a short kernel may be followed by long ones */
	every = every < OBSERVE_LEAST ? OBSERVE_LEAST : every > most ? most : every;
	every |= 1;
	atomic_store_explicit(&observe_every, (unsigned)every, memory_order_relaxed);
	estimate_learn(estimate, measurement);
	return estimate->ns * sample->weight;
}

static void settle(struct hetero_region *region, const struct sample *sample)
{
	struct measurement measurement;
	struct estimate *estimate = estimate_of(sample->key);
	if (!measure(sample, &measurement))
		return;
	if (sample->weight)
		hetero_pacer_count(region, sample->position, observed(sample, estimate, &measurement), 0);
	else
		atomic_fetch_sub_explicit(hetero_pacer_drawn(region, sample->position),
					  estimate_learn(estimate, &measurement), memory_order_relaxed);
}

/* Nothing is done with a sample whose kernel still runs. */
static void finish(struct hetero_region *region, struct sample *sample)
{
	CUresult result = cuda_real()->cuEventQuery(sample->end);
	if (result == CUDA_ERROR_NOT_READY)
		return;
	if (result == CUDA_SUCCESS)
		settle(region, sample);
	discard(sample);
}

void samples_collect(struct hetero_region *region)
{
	for (unsigned i = 0; pending && i < PENDING; i++)
		if (samples[i].state == SAMPLE_RECORDED)
			finish(region, &samples[i]);
}

int64_t samples_in_flight(unsigned position)
{
	int64_t ns = 0;
	samples_lock();
	for (unsigned i = 0; i < PENDING; i++)
		ns += samples[i].state != SAMPLE_FREE && samples[i].position == position ? samples[i].charged : 0;
	samples_unlock();
	return ns;
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
