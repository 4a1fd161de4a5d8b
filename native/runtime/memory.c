/*
 * The ledger: what each process of the slice holds, and the sum that is compared with the limit.
 *
 * Both change under the region's robust lock, the slot's ledger first when memory is given back and last when it is
 * reserved. A process that dies between the two stores leaves the ledgers right and the sum wrong, and the next
 * holder of the lock adds the ledgers up again (region.c). So the sum is never below what is held, and nothing leaks.
 */
#include "hetero/runtime.h"

uint64_t hetero_ledger_held(const struct hetero_ledger_entry *entry)
{
	return atomic_load_explicit(&entry->after[atomic_load(&entry->done) % 2], memory_order_relaxed);
}

/* With the lock held. */
static void set_held(struct hetero_ledger_entry *entry, uint64_t bytes)
{
	uint64_t number = atomic_load(&entry->done) + 1;
	atomic_store(&entry->after[number % 2], bytes);
	atomic_store(&entry->change[number % 2], number);
	atomic_store(&entry->done, number);
}

static bool fits(const struct hetero_region_device *device, uint64_t bytes)
{
	uint64_t used = atomic_load_explicit(&device->memory.bytes, memory_order_relaxed);
	uint64_t limit = atomic_load_explicit(&device->memory_limit, memory_order_relaxed);
	return !limit || (bytes <= limit && used <= limit - bytes);
}

/* With the lock held. The dead are looked for only before a refusal: they cost a system call each. */
static bool reserve(struct hetero_region *region, unsigned device, uint64_t bytes, struct hetero_region_slot *slot)
{
	struct hetero_region_device *place = &region->devices[device];
	if (!fits(place, bytes) && (!hetero_slots_sweep(region) || !fits(place, bytes))) {
		atomic_fetch_add_explicit(&place->refused, 1, memory_order_relaxed);
		return false;
	}
	atomic_fetch_add_explicit(&place->memory.bytes, bytes, memory_order_relaxed);
	set_held(&slot->memory[device], hetero_ledger_held(&slot->memory[device]) + bytes);
	return true;
}

bool hetero_memory_reserve(struct hetero_region *region, unsigned device, uint64_t bytes)
{
	struct hetero_region_slot *slot = device < HETERO_DEVICES ? hetero_slot_join(region) : NULL;
	if (!slot)
		return false; /* memory that cannot be counted is not given */
	hetero_region_lock(region);
	bool reserved = reserve(region, device, bytes, slot);
	hetero_region_unlock(region);
	return reserved;
}

void hetero_memory_release(struct hetero_region *region, unsigned device, uint64_t bytes)
{
	struct hetero_region_slot *slot = device < HETERO_DEVICES ? hetero_slot_join(region) : NULL;
	if (!slot)
		return;
	hetero_region_lock(region);
	/* A forked child may free what its parent reserved; the parent's ledger is not the child's to change. */
	uint64_t held = hetero_ledger_held(&slot->memory[device]);
	bytes = bytes < held ? bytes : held;
	set_held(&slot->memory[device], held - bytes);
	atomic_fetch_sub_explicit(&region->devices[device].memory.bytes, bytes, memory_order_relaxed);
	hetero_region_unlock(region);
}

uint64_t hetero_memory_used(struct hetero_region *region, unsigned device, bool sweep)
{
	if (device >= HETERO_DEVICES)
		return 0;
	if (sweep) {
		hetero_region_lock(region);
		hetero_slots_sweep(region);
		hetero_region_unlock(region);
	}
	return atomic_load_explicit(&region->devices[device].memory.bytes, memory_order_relaxed);
}
