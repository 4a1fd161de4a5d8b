/*
 * The compute budget: device time in ns, one account for each device of the slice, shared by all its processes. It fills
 * at the limit's rate with the clock, up to a burst. A process draws some of it at once and takes its launches from
 * what it has drawn, so that a launch costs one subtraction in memory that is its own; who finds nothing drawn and the
 * account overdrawn waits for as long as the refill of the deficit takes. There is no tick and no thread.
 *
 * What is drawn counts as busy time. What a process has not used when it ends goes back, by itself or by whoever finds
 * it dead.
 */
#include <limits.h>
#include <pthread.h>
#include <time.h>

#include "hetero/runtime.h"

/* How much a slice may save up, as time of a whole device. Shorter, and a slice whose neighbours keep the device from it for a
 * while loses what it was owed; longer, and the share is only right over seconds. */
#define BURST_NS 100000000
/* How much of what is lent is kept for the next launches, likewise. It is not saved up: the slice would spend it when the loan
 * is over, on top of what it was promised, and whoever lent would wait for that. */
#define LOAN_NS 2000000
/* What a new account starts with, likewise: enough for the first launches to be measured. */
#define START_NS 10000000
/* A refill that is worth a store. */
#define REFILL_NS 50000
/* What is drawn at once, as time of a whole device, and the least of it. */
#define GRANT_NS 5000000
#define LEAST_GRANT_NS 1000000
/* A debt is forgiven beyond what this time pays. */
#define LONGEST_DEBT_NS 4000000000
/* A limit that is changed meanwhile is noticed within this time; the end of a yield sooner. */
#define LONGEST_SLEEP_NS 100000000
#define YIELDING_SLEEP_NS 10000000
/* A yield is for moments, and renewed: what says more was not written by whoever lends. */
#define LONGEST_YIELD_NS 10000000000u

#define RATE_ONE 1000

static _Atomic uint32_t rates[HETERO_DEVICES];            /* 0: not set, as RATE_ONE */
static _Atomic uint32_t parts[HETERO_DEVICES];            /* percent; 0: not set, as 100 */
static _Atomic int64_t without_slot[HETERO_DEVICES];      /* drawn by a process that found no slot */
static _Atomic int64_t granted[HETERO_DEVICES];           /* drawn by this process since it started */

uint64_t hetero_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t lent(const struct hetero_region_device *device, uint64_t now)
{
	if (atomic_load_explicit(&device->policy, memory_order_relaxed) != HETERO_POLICY_CONSERVE)
		return 0;
	uint64_t until = atomic_load_explicit(&device->lent_until_ns, memory_order_relaxed);
	uint32_t percent = atomic_load_explicit(&device->lent_percent, memory_order_relaxed);
	return until > now && percent < 100 ? percent : until > now ? 100 : 0;
}

/* Percent that the slice keeps to while others go first; 0 while it need not. */
static uint32_t yields(const struct hetero_region_device *device, uint64_t now)
{
	uint64_t until = atomic_load_explicit(&device->yield_until_ns, memory_order_relaxed);
	uint32_t percent = atomic_load_explicit(&device->yield_percent, memory_order_relaxed);
	return percent < 100 && until > now && until - now <= LONGEST_YIELD_NS ? percent : 0;
}

/* Percent, 0 for no limit. It may change at any time: whoever counts with it reads it once. */
static uint32_t limit_of(const struct hetero_region_device *device, uint64_t now)
{
	uint32_t limit = atomic_load_explicit(&device->core_limit, memory_order_relaxed);
	uint32_t yielded = yields(device, now);
	if (!limit || limit >= 100)
		return yielded;
	limit += lent(device, now);
	limit = limit < 100 ? limit : 100;
	return yielded && yielded < limit ? yielded : limit;
}

unsigned hetero_slots_taken(const struct hetero_region *region)
{
	unsigned taken = 0, used = atomic_load_explicit(&region->slots_used, memory_order_relaxed);
	for (unsigned i = 0; i < used && i < HETERO_SLOTS; i++)
		taken += atomic_load_explicit(&region->slots[i].state, memory_order_relaxed) == HETERO_SLOT_TAKEN;
	return taken ? taken : 1;
}

uint32_t hetero_pacer_limit(const struct hetero_region *region, unsigned device)
{
	return limit_of(&region->devices[device], hetero_monotonic_ns());
}

void hetero_pacer_wanted(struct hetero_region *region, unsigned device)
{
	atomic_store_explicit(&region->devices[device].wanted_ns, hetero_monotonic_ns(), memory_order_relaxed);
}

static int64_t least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

static int64_t greatest(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

/* The device time that `ns` of predictions came to, as far as it is known. */
static int64_t real_time(unsigned device, int64_t ns)
{
	uint32_t rate = atomic_load_explicit(&rates[device], memory_order_relaxed);
	uint32_t part = atomic_load_explicit(&parts[device], memory_order_relaxed);
	ns = part ? ns / 100 * part + ns % 100 * part / 100 : ns;
	return rate ? ns / RATE_ONE * rate + ns % RATE_ONE * rate / RATE_ONE : ns;
}

void hetero_pacer_part(unsigned device, uint32_t percent)
{
	atomic_store_explicit(&parts[device], percent < 100 ? percent : 0, memory_order_relaxed);
}

void hetero_pacer_rate(unsigned device, double rate)
{
	rate = rate < 0.1 ? 0.1 : rate > 4 ? 4 : rate;
	atomic_store_explicit(&rates[device], (uint32_t)(rate * RATE_ONE + 0.5), memory_order_relaxed);
}

static void add_within(_Atomic int64_t *budget, int64_t amount, int64_t lowest, int64_t highest)
{
	int64_t before = atomic_load_explicit(budget, memory_order_relaxed), after;
	do
		after = greatest(least(before + amount, highest), lowest);
	while (!atomic_compare_exchange_weak(budget, &before, after));
}

/* How much of a limit the slice was promised; the rest is lent. */
static uint32_t promised(const struct hetero_region_device *device, uint32_t limit)
{
	uint32_t own = atomic_load_explicit(&device->core_limit, memory_order_relaxed);
	return own && own < limit ? own : limit;
}

static int64_t burst(uint32_t limit)
{
	return (int64_t)BURST_NS * limit / 100;
}

/* The budget after a time: at the limit's rate up to what is kept of a loan, from there at the promised one. */
static int64_t filled(int64_t budget, int64_t passed, uint32_t limit, uint32_t own)
{
	int64_t kept = (int64_t)LOAN_NS * limit / 100, after = budget + passed * limit / 100;
	if (after > kept) {
		int64_t rising = budget < kept ? (kept - budget) * 100 / limit : 0;
		after = greatest(budget, kept) + (passed - rising) * own / 100;
	}
	return least(after, burst(own));
}

/* Whoever moves the clock of the account forward pays in for the time between: nobody pays twice. */
static void refill(struct hetero_region_device *device, uint32_t limit, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&device->refilled_ns, memory_order_relaxed);
	if (now < last + REFILL_NS || !atomic_compare_exchange_strong(&device->refilled_ns, &last, now))
		return;
	int64_t passed = !last ? START_NS : (int64_t)(now - last < 60000000000u ? now - last : 60000000000u);
	uint32_t own = promised(device, limit);
	int64_t before = atomic_load_explicit(&device->budget_ns, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&device->budget_ns, &before, filled(before, passed, limit, own)))
		;
}

static void rest(uint64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	nanosleep(&time, NULL); /* cut short by a signal: the caller's loop looks again */
}

/* Until the account is not overdrawn. Returns the limit that held then; 0 when it was lifted. */
static uint32_t await_budget(struct hetero_region_device *place, int64_t patience_ns)
{
	uint64_t start = hetero_monotonic_ns(), now = start;
	uint32_t limit;
	while ((limit = limit_of(place, now)) > 0) {
		atomic_store_explicit(&place->wanted_ns, now, memory_order_relaxed);
		refill(place, limit, now);
		int64_t budget = atomic_load_explicit(&place->budget_ns, memory_order_relaxed);
		int64_t left = patience_ns - (int64_t)(now - start);
		if (budget >= 0 || left <= 0)
			break;
		int64_t longest = yields(place, now) ? YIELDING_SLEEP_NS : LONGEST_SLEEP_NS;
		rest((uint64_t)least(least(-budget * 100 / limit + 1, left), longest));
		now = hetero_monotonic_ns();
	}
	if (now != start)
		atomic_fetch_add_explicit(&place->throttled_ns, now - start, memory_order_relaxed);
	return limit;
}

_Atomic int64_t *hetero_pacer_drawn(struct hetero_region *region, unsigned device)
{
	struct hetero_region_slot *slot = hetero_slot_join(region);
	return slot ? &slot->drawn_ns[device] : &without_slot[device];
}

void hetero_pacer_count(struct hetero_region *region, unsigned device, int64_t busy_ns, uint64_t launches)
{
	struct hetero_region_device *place = &region->devices[device];
	struct hetero_region_slot *slot = hetero_slot_join(region);
	atomic_fetch_add_explicit(&place->busy_ns, (uint64_t)busy_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&place->launches, launches, memory_order_relaxed);
	if (!slot)
		return;
	atomic_fetch_add_explicit(&slot->busy_ns[device], (uint64_t)busy_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&slot->launches[device], launches, memory_order_relaxed);
}

/* Moves time from the account to what this process has drawn; negative: back. */
static void transfer(struct hetero_region *region, unsigned device, int64_t ns, uint32_t limit)
{
	int64_t real_ns = real_time(device, ns);
	int64_t lowest = -(int64_t)(LONGEST_DEBT_NS * limit / 100);
	struct hetero_region_device *place = &region->devices[device];
	add_within(&place->budget_ns, -real_ns, lowest, burst(promised(place, limit)));
	hetero_pacer_count(region, device, real_ns, 0);
	atomic_fetch_add_explicit(&granted[device], ns, memory_order_relaxed);
	atomic_fetch_add_explicit(hetero_pacer_drawn(region, device), ns, memory_order_relaxed);
}

void hetero_pacer_draw(struct hetero_region *region, unsigned device, int64_t need_ns, int64_t patience_ns)
{
	uint32_t limit = await_budget(&region->devices[device], patience_ns);
	int64_t grant = greatest((int64_t)GRANT_NS * limit / 100, LEAST_GRANT_NS);
	int64_t lack = need_ns - atomic_load_explicit(hetero_pacer_drawn(region, device), memory_order_relaxed);
	if (limit && lack > 0) /* another thread may have drawn meanwhile */
		transfer(region, device, greatest(lack, grant), limit);
	else if (limit && lack < -2 * grant) /* what was predicted too high came back */
		transfer(region, device, lack + grant, limit);
}

int64_t hetero_pacer_used(struct hetero_region *region, unsigned device)
{
	return atomic_load_explicit(&granted[device], memory_order_relaxed) -
	       atomic_load_explicit(hetero_pacer_drawn(region, device), memory_order_relaxed);
}

void hetero_pacer_leave(struct hetero_region *region, unsigned device)
{
	uint32_t limit = limit_of(&region->devices[device], hetero_monotonic_ns());
	int64_t left = atomic_load_explicit(hetero_pacer_drawn(region, device), memory_order_relaxed);
	if (limit && left)
		transfer(region, device, -left, limit);
}

/* Without a limit nothing is drawn, so nothing that was owed under one is owed any more. */
void hetero_pacer_lift(struct hetero_region *region, unsigned device)
{
	int64_t left = atomic_exchange(hetero_pacer_drawn(region, device), 0);
	atomic_fetch_sub_explicit(&granted[device], left, memory_order_relaxed);
	hetero_pacer_count(region, device, -real_time(device, left), 0);
	add_within(&region->devices[device].budget_ns, 0, 0, INT64_MAX);
}
