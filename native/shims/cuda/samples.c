/*
 * Measuring launches. A sample is lent to the thread that launches, which records its events around the kernel; from then on
 * any thread that comes by looks whether the kernel has ended. Nobody waits for one, and there are only so many at once.
 */
#include <pthread.h>
#include <string.h>

#include "contention.h"
#include "estimate.h"
#include "samples.h"

#define PENDING 32
/* A pair around nothing, behind other work, measured 1.25 us (H100, driver 580); more than this is not the pair's own. */
#define PAIR_MOST_NS 5000
#define DELAY_MOST_NS 30000
#define THOROUGH 8
#define THOROUGH_EVERY 64
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sample samples[PENDING];
static unsigned pending, begun;

static _Thread_local CUstreamCaptureMode mode;

/* Asking for an event's end or making one would break a capture in this thread's mode, though it is none of its events. */
static void exchange_mode(void)
{
	if (cuda_real()->cuThreadExchangeStreamCaptureMode)
		cuda_real()->cuThreadExchangeStreamCaptureMode(&mode);
}

/* Another thread may have had the lock when this process was forked; and its parent's events are its parent's. */
static void forget_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(samples, 0, sizeof samples);
	pending = 0;
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, forget_in_child);
}

void samples_lock(void)
{
	static pthread_once_t prepared = PTHREAD_ONCE_INIT;
	pthread_once(&prepared, prepare);
	mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	exchange_mode();
	pthread_mutex_lock(&lock);
}

void samples_unlock(void)
{
	pthread_mutex_unlock(&lock);
	exchange_mode();
}

/* Events are kept for the next sample in their context: to make and end a pair costs as much as to record it. */
struct events {
	CUcontext context;
	CUevent before, start, end;
};

static struct events kept[PENDING];
static unsigned kept_count;

static bool make_event(CUevent *event)
{
	return cuda_real()->cuEventCreate(event, CU_EVENT_DEFAULT) == CUDA_SUCCESS;
}

static void end_events(const struct events *events)
{
	const CUevent all[] = {events->before, events->start, events->end};
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i])
			cuda_real()->cuEventDestroy_v2(all[i]);
}

static bool take_kept(struct events *events)
{
	for (unsigned i = kept_count; i-- > 0;)
		if (kept[i].context == events->context) {
			*events = kept[i];
			kept[i] = kept[--kept_count];
			return true;
		}
	return false;
}

static bool find_events(struct events *events)
{
	const struct cuda_real *real = cuda_real();
	if (real->cuCtxGetCurrent && real->cuCtxGetCurrent(&events->context) != CUDA_SUCCESS)
		return false;
	if (take_kept(events) || (make_event(&events->before) && make_event(&events->start) && make_event(&events->end)))
		return true;
	end_events(events);
	return false;
}

static void keep_events(const struct events *events)
{
	if (kept_count < PENDING)
		kept[kept_count++] = *events;
	else
		end_events(events);
}

static struct sample *free_place(void)
{
	for (unsigned i = 0; pending < PENDING && i < PENDING; i++)
		if (samples[i].state == SAMPLE_FREE)
			return &samples[i];
	return NULL;
}

bool samples_left(void)
{
	return pending < PENDING;
}

struct sample *samples_begin(uint64_t key, unsigned position, unsigned weight)
{
	struct sample *sample = free_place();
	struct events events = {0};
	if (!sample || !find_events(&events))
		return NULL;
	*sample = (struct sample){
		.state = SAMPLE_LENT,
		.context = events.context,
		.before = events.before,
		.start = events.start,
		.end = events.end,
		.key = key,
		.position = position,
		.weight = weight,
		.thorough = begun++ < THOROUGH || begun % THOROUGH_EVERY == 0,
	};
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
	mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	exchange_mode();
	sample->behind = busy(stream, per_thread);
	exchange_mode();
	sample->thorough = sample->thorough && record(sample->before, stream, per_thread);
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
	keep_events(&(struct events){sample->context, sample->before, sample->start, sample->end});
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
	if (sample->thorough && elapsed(sample->before, sample->start, &ns) && ns >= 0 && ns < least)
		least = ns;
	return least < PAIR_MOST_NS ? least : 0;
}

/* What the launch took, but no more than half of it all, nor than a launch takes that did not wait for something itself. */
static int64_t delay_of(const struct sample *sample, int64_t ns)
{
	int64_t most = ns / 2 < DELAY_MOST_NS ? ns / 2 : DELAY_MOST_NS;
	return (int64_t)sample->launched_ns < most ? (int64_t)sample->launched_ns : most;
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
	ns -= pair_itself(sample) / 2; /* one of the two events is behind the kernel, where work goes on */
	if (!sample->behind)
		ns -= delay_of(sample, ns);
	*measurement = (struct measurement){
		.ns = ns > 0 ? ns : 1,
		.charged = sample->charged,
		.launches = sample->launches,
		.others = contention_others(sample->position),
		.exact = sample->behind || ns >= ESTIMATE_EXACT_NS,
	};
	return true;
}

static void settle(struct hetero_region *region, const struct sample *sample)
{
	struct measurement measurement;
	struct estimate *estimate = estimate_of(sample->key);
	if (!measure(sample, &measurement))
		return;
	int64_t owed = estimate_learn(estimate, &measurement);
	int64_t each = measurement.others ? estimate->ns : measurement.ns; /* a neighbour's time is not counted */
	if (sample->weight)
		hetero_pacer_count(region, sample->position, each * sample->weight, 0);
	else
		atomic_fetch_sub_explicit(hetero_pacer_drawn(region, sample->position), owed, memory_order_relaxed);
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
	while (kept_count)
		end_events(&kept[--kept_count]);
	samples_unlock();
}
