/*
 * Asking for memory and giving it back: the limit holds for all processes of the slice together, and what the dead
 * held is there again before anybody is refused.
 */
#include <pthread.h>
#include <time.h>

#include "ledger.h"
#include "slots.h"

/* A process has one slot: its threads take turns at changing it. Nothing sleeps or calls a driver in between. */
static struct turn {
	pthread_mutex_t mutex;
	uint64_t number; /* of this process' last change */
} turns[HETERO_DEVICES] = {[0 ... HETERO_DEVICES - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

void hetero_memory_begin(const struct hetero_region *region, unsigned slot)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		turns[device].number = hetero_ledger_number(region, slot, device);
}

/* A thread that is not there in the child may have had its turn. */
void hetero_memory_forked(void)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		pthread_mutex_init(&turns[device].mutex, NULL);
}

static bool grow(struct hetero_region *region, const struct hetero_region_slot *slot, unsigned device, uint64_t bytes)
{
	struct turn *turn = &turns[device];
	pthread_mutex_lock(&turn->mutex);
	bool grown = hetero_ledger_grow(region, (unsigned)(slot - region->slots), device, bytes, &turn->number);
	pthread_mutex_unlock(&turn->mutex);
	return grown;
}

bool hetero_memory_reserve(struct hetero_region *region, unsigned device, uint64_t bytes)
{
	struct hetero_region_slot *slot = device < HETERO_DEVICES ? hetero_slot_join(region) : NULL;
	if (!slot)
		return false; /* memory that cannot be counted is not given */
	if (grow(region, slot, device, bytes))
		return true;
	hetero_slots_bury(region); /* somebody else may have done it just now: look again in any case */
	if (grow(region, slot, device, bytes))
		return true;
	atomic_fetch_add_explicit(&region->devices[device].refused, 1, memory_order_relaxed);
	return false;
}

void hetero_memory_exhausted(struct hetero_region *region, unsigned device)
{
	if (device < HETERO_DEVICES)
		atomic_fetch_add_explicit(&region->devices[device].exhausted, 1, memory_order_relaxed);
}

/* A forked child may free what its parent reserved; the parent's ledger is not the child's to change. */
void hetero_memory_release(struct hetero_region *region, unsigned device, uint64_t bytes)
{
	struct hetero_region_slot *slot = device < HETERO_DEVICES ? hetero_slot_mine() : NULL;
	if (!slot || !bytes)
		return;
	struct turn *turn = &turns[device];
	pthread_mutex_lock(&turn->mutex);
	hetero_ledger_shrink(region, (unsigned)(slot - region->slots), device, bytes, &turn->number);
	pthread_mutex_unlock(&turn->mutex);
}

void hetero_memory_tell(struct hetero_region *region, unsigned device, enum hetero_memory_kind kind, int64_t bytes)
{
	struct hetero_region_slot *slot = device < HETERO_DEVICES ? hetero_slot_join(region) : NULL;
	if (!slot)
		return;
	_Atomic uint64_t *told = kind == HETERO_MEMORY_CONTEXT ? slot->context_bytes : slot->module_bytes;
	atomic_fetch_add_explicit(&told[device], (uint64_t)bytes, memory_order_relaxed);
}

/* True once a tick of the coarse clock, some milliseconds. */
static bool time_to_look(void)
{
	static _Atomic uint64_t looked;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	uint64_t moment = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 1;
	return atomic_exchange_explicit(&looked, moment, memory_order_relaxed) != moment;
}

uint64_t hetero_memory_used(struct hetero_region *region, unsigned device)
{
	if (device >= HETERO_DEVICES)
		return 0;
	struct hetero_ledger_sum *sum = &region->devices[device].memory;
	const struct hetero_region_slot *slot = hetero_slot_mine();
	uint64_t used = atomic_load_explicit(&sum->bytes, memory_order_relaxed);
	uint64_t own = slot ? hetero_ledger_held(region, (unsigned)(slot - region->slots), device) : 0;
	if (used == own || !time_to_look())
		return used;
	hetero_slots_bury(region);
	return atomic_load_explicit(&sum->bytes, memory_order_relaxed);
}
