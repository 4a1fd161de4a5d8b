/*
 * The ledger: what each slot holds of a device, and the sum that is compared with the limit. Both change as one,
 * without a lock, also when the process is killed between any two instructions.
 *
 * The sum stands in 16 bytes that are exchanged as one: the bytes, and in `last` who changed them last, as slot and
 * number of the change within the slot. A change with the number n goes like this:
 *
 *   announce   after[n % 2] = what the slot will hold. What it holds now stands in the other of the two, at n - 1.
 *   note       done of the slot that `last` names is raised to the number that `last` names: that change took effect.
 *   exchange   sum and `last` become (sum + difference, slot and n), if they are still what was read; else again.
 *   settle     done = n.
 *
 * The exchange is the one moment at which a change takes effect, for the sum and for the slot. So the number of a
 * slot's last effective change is the greater of `done` and of what `last` names, if it names this slot: as long as
 * `last` says n, that is seen there; and nobody puts something else there without having noted n before. A change
 * that is refused, or whose process dies before the exchange, has left nothing but an announcement that nobody reads,
 * and its number is used again. Therefore the sum is at any moment what the slots hold together, and there is nothing
 * to add up after a crash.
 *
 * The numbers never return (2^48 of them last for 89 years at 100,000 changes a second), so an exchange cannot
 * mistake an old sum for the present one. Whoever sweeps a dead slot makes a change of that slot, and dies in it no
 * differently.
 *
 * One caller at a time changes a slot: threads of its process take turns, and a sweeper comes when the process is
 * dead. The kernel says so a moment before the last thread of a killed process has stopped. What such a thread still
 * does is harmless: it knows the number of its own last change, and when the slot has gone beyond that, it exchanges
 * nothing any more.
 */
#include "ledger.h"

#include "point.h"

#define NUMBER_BITS 48

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are the lower half of what is exchanged");
typedef unsigned __int128 __attribute__((may_alias)) both_halves;

struct reading {
	uint64_t bytes, last;
};

static uint64_t name_of(unsigned slot, uint64_t number)
{
	return (uint64_t)slot << NUMBER_BITS | number;
}

static uint64_t number_in(uint64_t last)
{
	return last & ((1ull << NUMBER_BITS) - 1);
}

static uint64_t slot_in(uint64_t last)
{
	return last >> NUMBER_BITS;
}

/* The halves may be of different moments: then the exchange fails, and each by itself was true. */
static struct reading look(struct hetero_ledger_sum *sum)
{
	struct reading seen;
	seen.last = atomic_load_explicit(&sum->last, memory_order_acquire);
	seen.bytes = atomic_load_explicit(&sum->bytes, memory_order_acquire);
	return seen;
}

/* ThreadSanitizer would do it under a lock of the process' own, which is nothing to other processes. */
__attribute__((no_sanitize("thread")))
static bool exchange(struct hetero_ledger_sum *sum, struct reading seen, uint64_t bytes, uint64_t last)
{
	both_halves before = (both_halves)seen.last << 64 | seen.bytes, after = (both_halves)last << 64 | bytes;
	return __sync_bool_compare_and_swap((both_halves *)sum, before, after);
}

uint64_t hetero_ledger_number(const struct hetero_region *region, unsigned slot, unsigned device)
{
	/* In this order: what has gone from `last` has been noted before. */
	uint64_t last = atomic_load_explicit(&region->devices[device].memory.last, memory_order_acquire);
	uint64_t done = atomic_load_explicit(&region->slots[slot].memory[device].done, memory_order_acquire);
	return slot_in(last) == slot && number_in(last) > done ? number_in(last) : done;
}

/* Others may be changing the slot meanwhile: what was read counts if the number is still the same. */
uint64_t hetero_ledger_held(const struct hetero_region *region, unsigned slot, unsigned device)
{
	const struct hetero_ledger_entry *entry = &region->slots[slot].memory[device];
	uint64_t number, held;
	int tries = 16;
	do {
		number = hetero_ledger_number(region, slot, device);
		held = atomic_load_explicit(&entry->after[number % 2], memory_order_acquire);
	} while (hetero_ledger_number(region, slot, device) != number && --tries);
	return held;
}

static void raise_to(_Atomic uint64_t *done, uint64_t number)
{
	uint64_t before = atomic_load_explicit(done, memory_order_acquire);
	while (before < number && !atomic_compare_exchange_weak(done, &before, number))
		;
}

static void note(struct hetero_region *region, unsigned device, uint64_t last)
{
	if (slot_in(last) < HETERO_SLOTS)
		raise_to(&region->slots[slot_in(last)].memory[device].done, number_in(last));
}

/* A change that is being made. */
struct change {
	struct hetero_region *region;
	unsigned slot, device;
	uint64_t number, before, after;
};

static uint64_t applied(uint64_t sum, const struct change *change)
{
	if (change->after >= change->before)
		return sum + (change->after - change->before);
	uint64_t less = change->before - change->after;
	return sum > less ? sum - less : 0;
}

/* Only growing can be refused: who is beyond a limit that was lowered may still give back. */
static bool allowed(const struct change *change, uint64_t sum)
{
	uint64_t more = change->after - change->before;
	uint64_t limit = atomic_load_explicit(&change->region->devices[change->device].memory_limit,
					      memory_order_relaxed);
	limit = limit ? limit : UINT64_MAX;
	return change->after <= change->before || (more <= limit && sum <= limit - more);
}

/* Others have taken this slot for dead, and have made the change of this number in its place. */
static bool gone(const struct hetero_ledger_entry *entry, const struct change *change)
{
	return atomic_load_explicit(&entry->done, memory_order_acquire) >= change->number;
}

static bool take_effect(const struct change *change)
{
	struct hetero_ledger_sum *sum = &change->region->devices[change->device].memory;
	struct hetero_ledger_entry *entry = &change->region->slots[change->slot].memory[change->device];
	struct reading seen;
	do {
		seen = look(sum);
		if (!allowed(change, seen.bytes))
			return false;
		note(change->region, change->device, seen.last);
		HETERO_POINT("ledger.noted");
		if (gone(entry, change))
			return false;
	} while (!exchange(sum, seen, applied(seen.bytes, change), name_of(change->slot, change->number)));
	return true;
}

static bool make(const struct change *change, uint64_t *number)
{
	struct hetero_ledger_entry *entry = &change->region->slots[change->slot].memory[change->device];
	if (gone(entry, change))
		return false;
	atomic_store_explicit(&entry->after[change->number % 2], change->after, memory_order_release);
	HETERO_POINT("ledger.announced");
	if (!take_effect(change))
		return false;
	HETERO_POINT("ledger.exchanged");
	raise_to(&entry->done, change->number);
	*number = change->number;
	return true;
}

static struct change next_of(struct hetero_region *region, unsigned slot, unsigned device, uint64_t number)
{
	uint64_t held = atomic_load_explicit(&region->slots[slot].memory[device].after[number % 2],
					     memory_order_relaxed);
	return (struct change){region, slot, device, number + 1, held, held};
}

bool hetero_ledger_grow(struct hetero_region *region, unsigned slot, unsigned device, uint64_t bytes, uint64_t *number)
{
	struct change change = next_of(region, slot, device, *number);
	if (bytes > UINT64_MAX - change.before)
		return false;
	change.after += bytes;
	return make(&change, number);
}

bool hetero_ledger_shrink(struct hetero_region *region, unsigned slot, unsigned device, uint64_t bytes,
			  uint64_t *number)
{
	struct change change = next_of(region, slot, device, *number);
	change.after -= bytes < change.before ? bytes : change.before;
	return make(&change, number);
}
