/*
 * The compute budget: device time in ns, one account for each device of the slice, shared by all its processes. It fills at the
 * limit's rate with the clock, up to a burst, and a launch takes its time from it, in advance or afterwards. Who finds
 * it overdrawn waits for as long as the refill of the deficit takes. There is no tick and no thread.
 */
#include <time.h>

#include "hetero/runtime.h"

/* How much an idle slice may save up, as time of a whole device. Shorter, and pauses between launches are lost; longer,
 * and the share is only right over seconds. */
#define BURST_NS 40000000
/* A refill that is worth a store. */
#define REFILL_NS 50000
/* A limit that is changed meanwhile is noticed within this time. */
#define LONGEST_SLEEP_NS 100000000

uint64_t hetero_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Percent, 0 for no limit. It may change at any time: whoever counts with it reads it once. */
static uint32_t limit_of(const struct hetero_region_device *device)
{
	uint32_t limit = atomic_load_explicit(&device->core_limit, memory_order_relaxed);
	return limit < 100 ? limit : 0;
}

bool hetero_pacer_limits(const struct hetero_region *region, unsigned device)
{
	return limit_of(&region->devices[device]) > 0;
}

static int64_t least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

static void add_up_to(_Atomic int64_t *budget, int64_t amount, int64_t most)
{
	int64_t before = atomic_load_explicit(budget, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(budget, &before, least(before + amount, most)))
		;
}

/* Whoever moves the clock of the account forward pays in for the time between: nobody pays twice. */
static void refill(struct hetero_region_device *device, uint32_t limit)
{
	uint64_t now = hetero_monotonic_ns();
	uint64_t last = atomic_load_explicit(&device->refilled_ns, memory_order_relaxed);
	int64_t most = (int64_t)BURST_NS * limit / 100;
	if (now < last + REFILL_NS || !atomic_compare_exchange_strong(&device->refilled_ns, &last, now))
		return;
	uint64_t passed = last && now - last < 60000000000u ? now - last : 60000000000u;
	add_up_to(&device->budget_ns, (int64_t)(passed * limit / 100), most);
}

static void rest(uint64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	nanosleep(&time, NULL); /* cut short by a signal: the caller's loop looks again */
}

void hetero_pacer_wait(struct hetero_region *region, unsigned device)
{
	struct hetero_region_device *place = &region->devices[device];
	uint64_t start = 0;
	uint32_t limit;
	while ((limit = limit_of(place)) > 0) {
		refill(place, limit);
		int64_t budget = atomic_load_explicit(&place->budget_ns, memory_order_relaxed);
		if (budget >= 0)
			break;
		start = start ? start : hetero_monotonic_ns();
		rest((uint64_t)least(-budget * 100 / limit, LONGEST_SLEEP_NS));
	}
	if (start)
		atomic_fetch_add_explicit(&place->throttled_ns, hetero_monotonic_ns() - start, memory_order_relaxed);
}

void hetero_pacer_charge(struct hetero_region *region, unsigned device, int64_t ns)
{
	struct hetero_region_device *place = &region->devices[device];
	struct hetero_region_slot *slot = hetero_slot_join(region);
	if (hetero_pacer_limits(region, device))
		atomic_fetch_sub_explicit(&place->budget_ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&place->busy_ns, (uint64_t)ns, memory_order_relaxed);
	if (slot)
		atomic_fetch_add_explicit(&slot->busy_ns[device], (uint64_t)ns, memory_order_relaxed);
}
