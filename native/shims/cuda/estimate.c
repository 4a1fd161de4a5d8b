/*
 * A measurement is the truth while nobody else is on the device: then the mean of the last ones is charged, and each
 * sample pays for what it shows, of its own launch and those since the sample before. Only what took many times as long as most is
 * not believed whole: it waited for a peer.
 *
 * In company, what was measured contains the time in which a neighbour ran. So one of the shorter of the last ones is
 * charged, and longer ones are believed when many in a row were longer than neighbours explain: then the kernel has more to do now, and
 * what was launched meanwhile is paid for. What is still wrong then, as of kernels longer than a time slice, which are always
 * stretched, the rate of what is charged to what the device says corrects (contention.c).
 *
 * In both, what is unlike the prediction has the next launches measured, too, until it is known what to think of it.
 *
 * A kernel on an idle stream measures the host's delay too, which only matters for short ones: such a sample counts
 * only where there is none that ran behind other work.
 */
#include <string.h>

#include "estimate.h"

#define PROBES 16
#define FIRST_SAMPLES 4
/* About one sample for so much device time of a kind; at least one launch in so many. */
#define SAMPLE_NS 2000000
#define SAMPLE_ALL_NS 1000000
#define SAMPLE_LEAST 256
/* A kind that takes the same time again and again is measured less often by this. */
#define STEADY 4
/* A kind that is launched seldom is measured again after so long: it may do something else by then. */
#define SAMPLE_AGE_NS 50000000
/* A sample is believed up to so many times what most of the last few took, and always up to this. */
#define WAITED 4
#define WAITED_NS 5000000
#define FEW 8
/* So many samples longer than predicted, one after the other, are no accident; what they were charged too little is paid up to
 * this. */
#define GROWN 16
#define GROWN_NS 100000000
/* Samples in a row for one surprise after the other. */
#define CHASES 24
/* The mean is over about so many samples. */
#define MANY 128

struct estimate estimates[ESTIMATE_ROWS];

struct estimate *estimate_of(uint64_t key)
{
	struct estimate *row = NULL;
	key = key ? key : 1;
	for (unsigned i = 0; i < PROBES; i++) {
		row = &estimates[(key >> 52) ^ i];
		if (row->key == key)
			return row;
		if (!row->key)
			break;
	}
	atomic_store_explicit(&row->ns, 0, memory_order_relaxed); /* until the new key is there, nobody finds the row */
	memset(row, 0, sizeof *row);
	row->key = key;
	return row;
}

void estimate_expect(uint64_t key, int64_t ns)
{
	struct estimate *row = estimate_of(key);
	if (!row->samples && !row->ns)
		row->ns = ns;
}

void estimate_forget(uint64_t key)
{
	struct estimate *row = estimate_of(key);
	uint32_t awaited = row->awaited;
	memset(row, 0, sizeof *row);
	row->key = key ? key : 1;
	row->awaited = awaited;
}

/* A spread of a quarter around it, so that the turns keep no step with a program's own rhythm. */
static uint32_t spread(uint32_t every)
{
	static uint32_t state = 1;
	state = state * 1664525u + 1013904223u;
	return every - every / 4 + (uint32_t)((uint64_t)state * (every / 2 + 1) >> 32);
}

static uint32_t interval(const struct estimate *estimate)
{
	int64_t ns = estimate->ns, every;
	if (estimate->samples < FIRST_SAMPLES || ns >= SAMPLE_ALL_NS || estimate->surprised)
		return 1;
	bool steady = estimate->samples >= ESTIMATE_WINDOW && !estimate->varies && estimate->alone && estimate->exact;
	int64_t most = steady ? STEADY * SAMPLE_LEAST : SAMPLE_LEAST;
	every = SAMPLE_NS / ns * (steady ? STEADY : 1) / (estimate->varies ? 2 : 1);
	return spread(every < 2 ? 2 : every > most ? (uint32_t)most : (uint32_t)every);
}

uint32_t estimate_passed(const struct estimate *estimate)
{
	uint32_t until = estimate->until;
	return until < estimate->every ? estimate->every - until : 0;
}

bool estimate_turn(struct estimate *estimate, uint64_t now)
{
	uint32_t until = estimate->until;
	bool turn = until <= 1 || now - estimate->turned_ns > SAMPLE_AGE_NS;
	if (turn)
		estimate->turned_ns = now;
	estimate->every = turn ? interval(estimate) : until - 1;
	estimate->until = estimate->every;
	return turn;
}

int64_t estimate_charge(struct estimate *estimate)
{
	estimate->unsettled += !estimate->ns;
	return estimate->ns;
}

bool estimate_suffices(const struct estimate *estimate, uint32_t ahead)
{
	return estimate->ns || estimate->unsettled < ahead || !estimate->awaited;
}

static void sort(int64_t *values, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		int64_t value = values[i];
		uint32_t at = i;
		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

static int64_t least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* What most launches take and more, where one that takes longer is taken to have waited for something. */
struct belief {
	int64_t ns, most;
};

/* The last ones, shortest first. */
static uint32_t sort_last(const struct estimate *estimate, uint32_t count, int64_t *sorted)
{
	count = estimate->held < count ? estimate->held : count;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = estimate->recent[(estimate->samples - 1 - i) % ESTIMATE_WINDOW];
	sort(sorted, count);
	return count;
}

static struct belief shorter(const struct estimate *estimate)
{
	int64_t sorted[ESTIMATE_WINDOW];
	uint32_t count = sort_last(estimate, ESTIMATE_WINDOW, sorted);
	int64_t ns = sorted[(count - 1) / 8];
	return (struct belief){ns, ns};
}

static double mean_of_last(const struct estimate *estimate, uint32_t count, int64_t most)
{
	double sum = 0;
	count = estimate->held < count ? estimate->held : count;
	for (uint32_t i = 0; i < count; i++)
		sum += (double)least(estimate->recent[(estimate->samples - 1 - i) % ESTIMATE_WINDOW], most);
	return sum / count;
}

static double size_of(double value)
{
	return value < 0 ? -value : value;
}

static double deviation(const struct estimate *estimate, double mean, int64_t most)
{
	double sum = 0;
	for (uint32_t i = 0; i < estimate->held; i++)
		sum += size_of((double)least(estimate->recent[(estimate->samples - 1 - i) % ESTIMATE_WINDOW], most) - mean);
	return sum / estimate->held;
}

/*
 * Over many samples, since one kind may take a different time at each launch. When the last few are unlike those before, by more than these
 * are unlike each other, they alone count: the kind has something else to do now.
 */
static struct belief mean(struct estimate *estimate)
{
	int64_t sorted[FEW], last = estimate->recent[(estimate->samples - 1) % ESTIMATE_WINDOW];
	uint32_t count = sort_last(estimate, FEW, sorted);
	int64_t most = WAITED * sorted[(count - 1) / 2];
	most = most > WAITED_NS ? most : WAITED_NS;
	double all = mean_of_last(estimate, ESTIMATE_WINDOW, most), few = mean_of_last(estimate, FEW, most);
	double unlike = deviation(estimate, all, most);
	estimate->varies = unlike > all / 8;
	if (estimate->weight == 0 || size_of(few - all) > all / 4 + unlike) {
		estimate->held = estimate->weight = count;
		estimate->mean_ns = few;
	} else {
		estimate->weight += estimate->weight < MANY;
		estimate->mean_ns += ((double)least(last, most) - estimate->mean_ns) / estimate->weight;
	}
	return (struct belief){(int64_t)(estimate->mean_ns + 0.5), most};
}

int64_t estimate_undisturbed(const struct estimate *estimate)
{
	int64_t sorted[ESTIMATE_WINDOW];
	uint32_t count = sort_last(estimate, ESTIMATE_WINDOW, sorted);
	return count ? least(sorted[(count - 1) / 4], estimate->ns) : estimate->ns;
}

/* What was learned under other circumstances counts no more. */
static void note(struct estimate *estimate, const struct measurement *measurement)
{
	bool exact = measurement->exact || estimate->ns >= ESTIMATE_EXACT_NS;
	bool better = (!measurement->others && !estimate->alone) || (exact && !estimate->exact);
	if (better)
		estimate->held = estimate->samples = estimate->weight = 0;
	if (!estimate->held || !!measurement->others)
		estimate->alone = !measurement->others;
	estimate->exact = estimate->held ? estimate->exact : exact;
	estimate->recent[estimate->samples++ % ESTIMATE_WINDOW] = measurement->ns;
	estimate->held += estimate->held < ESTIMATE_WINDOW;
}

/* Those that were launched before anything was known are settled together, by the first measurement. */
static int64_t settle(struct estimate *estimate, const struct measurement *measurement)
{
	int64_t others = (int64_t)estimate->unsettled - !measurement->charged;
	estimate->overpaid = 1 + (others > 0 ? (uint32_t)others : 0);
	estimate->unsettled = 0;
	return others > 0 ? others * estimate->ns : 0;
}

/*
 * What is unlike the prediction: the next launches are measured until one is like it. A kind that surprises again and again is one that
 * varies, or has a neighbour: its turns become its usual ones.
 */
static void be_surprised(struct estimate *estimate, int64_t ns)
{
	bool longer = ns > estimate->ns + estimate->ns / 4, shorter = ns < estimate->ns - estimate->ns / 4;
	bool chased = estimate->surprised;
	estimate->longer = longer ? estimate->longer + 1 : 0;
	if (longer || shorter)
		estimate->chases -= estimate->chases > 0;
	else if (!chased)
		estimate->chases += estimate->chases < CHASES;
	estimate->surprised = (longer || shorter) && estimate->chases > 0;
	if (estimate->surprised && !chased)
		atomic_store_explicit(&estimate->until, 1, memory_order_relaxed);
}

/* All of the last ones were longer than predicted: they alone count, and those launched meanwhile are paid for. */
static int64_t grow(struct estimate *estimate, int64_t before)
{
	estimate->held = GROWN;
	estimate->ns = shorter(estimate).ns;
	int64_t owed = (estimate->ns - before) * estimate->underpaid;
	estimate->longer = estimate->underpaid = estimate->overpaid = 0;
	return least(owed, GROWN_NS);
}

/* Turn by turn with so many others, a kernel that is long against a turn takes so many times as long; a short one is now and then
 * interrupted, but hardly ever many times in a row. */
static bool neighbours_explain(const struct measurement *measurement, int64_t before)
{
	return before >= SAMPLE_ALL_NS && measurement->ns <= before * (measurement->others + 1) * 11 / 10;
}

/* The shortest so far is nearest to the truth, so those before it were charged too much: the last of them are paid back. */
static int64_t shrink(struct estimate *estimate, int64_t before)
{
	uint32_t launches = estimate->overpaid < GROWN ? estimate->overpaid : GROWN;
	int64_t overpaid = (before - estimate->ns) * launches;
	estimate->overpaid = 0;
	return -least(overpaid, GROWN_NS);
}

/* In company: what is shorter than predicted is given back, what is longer waits until it is believed. */
static int64_t learn_in_company(struct estimate *estimate, const struct measurement *measurement, int64_t before)
{
	if (neighbours_explain(measurement, before))
		estimate->longer = 0;
	estimate->underpaid = estimate->longer ? estimate->underpaid + measurement->launches : 0;
	estimate->overpaid += measurement->launches;
	if (estimate->longer >= GROWN)
		return grow(estimate, before);
	estimate->ns = least(shorter(estimate).ns, before);
	if (estimate->ns < before)
		return shrink(estimate, before);
	return measurement->charged ? least(measurement->ns - measurement->charged, 0) : 0;
}

static int64_t learn_alone(struct estimate *estimate, const struct measurement *measurement, int64_t before)
{
	struct belief belief = mean(estimate);
	estimate->ns = belief.ns;
	int64_t believed = least(measurement->ns, belief.most);
	if (!measurement->charged)
		return believed - before;
	int64_t amiss = believed - measurement->charged;
	return amiss + least(amiss, WAITED * measurement->charged) * (measurement->launches - 1);
}

int64_t estimate_learn(struct estimate *estimate, const struct measurement *measurement)
{
	int64_t before = estimate->ns;
	if (before && before < ESTIMATE_EXACT_NS && estimate->exact && !measurement->exact)
		return 0;
	note(estimate, measurement);
	if (!before) {
		estimate->ns = measurement->ns;
		estimate->chases = CHASES;
		mean(estimate);
		return measurement->ns - measurement->charged + settle(estimate, measurement);
	}
	be_surprised(estimate, measurement->ns);
	if (estimate->alone && estimate->exact)
		return learn_alone(estimate, measurement, before);
	return learn_in_company(estimate, measurement, before);
}
