/*
 * Pacing: a launch waits while the slice's time is overdrawn, is charged what its kernel is predicted to take, and now and then measured,
 * so that the predictions are right. Compute fails open: what cannot be measured is launched all the same, and counted.
 *
 * Work in flight is bounded, since time is charged before a launch and not when it is over: a slice is never further
 * ahead than its burst, one launch of each thread, and UNKNOWN_AHEAD launches of a kind that was never measured.
 *
 * Nothing waits without end: a launch may be the one that a running kernel of another process waits for, so it goes after
 * some time, and what it takes stays owed.
 */
#include "pace.h"

#include <pthread.h>
#include <time.h>

#include "contention.h"

/* Launches of an unknown kind that may be queued before one of them has ended... */
#define UNKNOWN_AHEAD 4
/* ...and for how long a further one is held at most. */
#define PATIENCE_NS 100000000
#define LOOK_NS 500000
/* A long kernel at a small share is held longer, for what so many of its kind take; and by as many times as the slice has processes; but
 * never longer than this. */
#define PATIENCE_KERNELS 4
#define LONGEST_PATIENCE_NS 2000000000
/* Without a limit a thread's launches are looked at about so often, that the slice's use is known and they cost nothing; at
 * odd distances, which keep no step with a program's own rhythm. */
#define OBSERVE_NS 100000000
#define OBSERVE_LEAST 7
#define OBSERVE_MOST 65535
/* Measurements that a kind must have before it is spared. */
#define NEEDED 4

static struct hetero_region *paced_region; /* of which this process may have drawn something */

/* A forked child has drawn nothing, and has nothing to settle at its end. */
static void forget_in_child(void)
{
	paced_region = NULL;
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, forget_in_child);
}

/* What the launch is going to be charged, by all that is known now, and what the shorter runs of its kind take: one that itself
 * waited for a peer does not tell how long to be patient. */
struct expected {
	int64_t ns, undisturbed_ns;
};

static struct expected expect(struct hetero_region *region, uint64_t key)
{
	samples_lock();
	samples_collect(region);
	const struct estimate *row = estimate_of(key);
	struct expected expected = {row->ns, estimate_undisturbed(row)};
	samples_unlock();
	return expected;
}

/* All processes of the slice take turns at its share. */
static int64_t patience(const struct hetero_region *region, unsigned position, int64_t undisturbed_ns)
{
	uint32_t assured = atomic_load_explicit(&region->devices[position].core_limit, memory_order_relaxed);
	uint32_t limit = hetero_pacer_limit(region, position); /* what is lent may end meanwhile */
	limit = assured && assured < limit ? assured : limit;
	double one = limit ? (double)undisturbed_ns * PATIENCE_KERNELS * 100 / limit : 0;
	double ns = (one > PATIENCE_NS ? one : PATIENCE_NS) * hetero_slots_taken(region);
	return ns < LONGEST_PATIENCE_NS ? (int64_t)ns : LONGEST_PATIENCE_NS;
}

static void draw(struct hetero_region *region, unsigned position, const struct expected *expected)
{
	hetero_pacer_draw(region, position, expected->ns, patience(region, position, expected->undisturbed_ns));
}

static void measure(struct hetero_region *region, struct estimate *row, bool sparing, struct paced *paced)
{
	if (!(sparing && row->samples >= NEEDED))
		paced->sample = samples_begin(row->key, paced->position, 0);
	if (!paced->sample && !row->ns && !row->awaited)
		atomic_fetch_add_explicit(&region->devices[paced->position].unmeasured, 1, memory_order_relaxed);
}

static void stand_for(struct estimate *row, uint32_t launches, struct paced *paced)
{
	row->since += launches;
	if (!paced->sample)
		return;
	paced->sample->charged = paced->charged;
	paced->sample->launches = row->since;
	row->since = 0;
}

/* With the samples' lock held. Where every launch is of a kind of its own, those that wait for a measurement are not many either. */
static bool may_be_known(const struct estimate *row)
{
	return row->ns || row->awaited || samples_left();
}

/* Charges the prediction for one launch, and has it measured if it is its turn. False, and nothing is done, when too many of
 * an unknown kind are queued already. */
static bool account(struct hetero_region *region, uint64_t key, bool patient, bool sparing, struct paced *paced)
{
	samples_lock();
	samples_collect(region);
	struct estimate *row = estimate_of(key);
	bool accounted = !patient || (estimate_suffices(row, UNKNOWN_AHEAD) && may_be_known(row));
	uint32_t launches = 1 + estimate_passed(row);
	if (accounted) {
		row->position = paced->position;
		if (estimate_turn(row, hetero_monotonic_ns()))
			measure(region, row, sparing, paced);
		paced->charged = estimate_charge(row);
		stand_for(row, launches, paced);
	}
	samples_unlock();
	if (accounted)
		hetero_pacer_count(region, paced->position, 0, launches);
	return accounted;
}

static void admit(struct hetero_region *region, uint64_t key, bool sparing, struct paced *paced)
{
	const struct timespec moment = {.tv_nsec = LOOK_NS};
	contention_look(region, paced->position);
	struct expected expected = expect(region, key);
	bool owing = atomic_load_explicit(&region->devices[paced->position].budget_ns, memory_order_relaxed) < 0;
	/* What an unknown kind takes is only owed when it has run: it waits for what others of its like owe. */
	if (atomic_load_explicit(current.drawn, memory_order_relaxed) < expected.ns || (owing && !expected.ns))
		draw(region, paced->position, &expected);
	for (int looks = PATIENCE_NS / LOOK_NS; !account(region, key, looks > 0, sparing, paced); looks--)
		nanosleep(&moment, NULL);
	atomic_fetch_sub_explicit(current.drawn, paced->charged, memory_order_relaxed);
	contention_charged(paced->position, paced->charged);
}

/* As many launches of this thread as come in OBSERVE_NS; step by step, since a short kernel may be followed by long ones. */
static uint32_t until_next(uint32_t passed)
{
	uint64_t now = hetero_monotonic_ns(), since = now - current.observed_ns + 1;
	current.observed_ns = now;
	uint64_t next = passed * (uint64_t)OBSERVE_NS / since, most = 2 * (uint64_t)passed;
	next = next > most ? most : next;
	next = next < OBSERVE_LEAST ? OBSERVE_LEAST : next > OBSERVE_MOST ? OBSERVE_MOST : next;
	return (uint32_t)next | 1;
}

/* The same where there is no limit: one measurement stands for the launches since the one before. */
static void observe(struct hetero_region *region, uint64_t key, struct paced *paced)
{
	uint32_t passed = current.every ? current.every : 1;
	contention_look(region, paced->position);
	samples_lock();
	samples_collect(region);
	paced->sample = samples_begin(key, paced->position, passed);
	samples_unlock();
	hetero_pacer_count(region, paced->position, 0, passed);
	current.every = current.left = until_next(passed);
}

struct paced pace_before(uint64_t key, CUstream stream, bool per_thread, bool sparing)
{
	static pthread_once_t prepared = PTHREAD_ONCE_INIT;
	struct hetero_region *region = slice_region();
	struct paced paced = {.stream = stream, .per_thread = per_thread};
	if (!region || capture_of(stream, per_thread))
		return paced; /* what is captured does not run now */
	bool looked_up = current_holds();
	if (!current_look_up(region) || (!looked_up && (pace_free() || pace_paid(key))))
		return paced;
	pthread_once(&prepared, prepare);
	paced_region = region;
	paced.position = current.position;
	if (current.drawn)
		admit(region, key, sparing, &paced);
	else
		observe(region, key, &paced);
	if (paced.sample)
		sample_start(paced.sample, stream, per_thread);
	return paced;
}

/* A launch that failed took no time, and what its events would tell is nothing to learn from. */
CUresult pace_after(const struct paced *paced, CUresult result)
{
	if (paced->sample) {
		bool recorded = sample_stop(paced->sample, paced->stream, paced->per_thread) && result == CUDA_SUCCESS;
		samples_lock();
		samples_end(paced->sample, recorded);
		samples_unlock();
	}
	if (result != CUDA_SUCCESS && paced->charged)
		atomic_fetch_add_explicit(hetero_pacer_drawn(paced_region, paced->position), paced->charged,
					  memory_order_relaxed);
	return result;
}

static void count_passed(struct hetero_region *region)
{
	for (unsigned i = 0; i < ESTIMATE_ROWS; i++) {
		uint32_t passed = estimate_passed(&estimates[i]);
		if (passed)
			hetero_pacer_count(region, estimates[i].position, 0, passed);
	}
}

/* The end of a program that ends in order. */
__attribute__((destructor)) static void leave(void)
{
	if (!paced_region)
		return;
	current_settle(paced_region);
	count_passed(paced_region);
	for (unsigned position = 0; position < HETERO_DEVICES; position++)
		if (hetero_pacer_limit(paced_region, position))
			hetero_pacer_leave(paced_region, position);
}
