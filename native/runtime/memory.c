/*
 * The ledger: what each process of the slice holds, and the sum that is compared with the limit.
 *
 * Both change under the region's robust lock, the slot's ledger first when memory is given back and last when it is
 * reserved. A process that dies between the two stores leaves the ledgers right and the sum wrong, and the next
 * holder of the lock adds the ledgers up again (region.c). So the sum is never below what is held, and nothing leaks.
 */
#include "hetero/runtime.h"

static bool fits(const struct hetero_region_device *device, uint64_t bytes)
{
	uint64_t used = atomic_load_explicit(&device->memory_used, memory_order_relaxed);
	return !device->memory_limit || (bytes <= device->memory_limit && used <= device->memory_limit - bytes);
}

/* With the lock held. The dead are looked for only before a refusal: they cost a system call each. */
static bool reserve(struct hetero_region *region, unsigned device, uint64_t bytes, struct hetero_region_slot *slot)
{
	struct hetero_region_device *place = &region->devices[device];
	if (!fits(place, bytes) && (!hetero_slots_sweep(region) || !fits(place, bytes))) {
		atomic_fetch_add_explicit(&place->refused, 1, memory_order_relaxed);
		return false;
	}
	atomic_fetch_add_explicit(&place->memory_used, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&slot->used[device], bytes, memory_order_relaxed);
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
	uint64_t held = atomic_load_explicit(&slot->used[device], memory_order_relaxed);
	bytes = bytes < held ? bytes : held;
	atomic_fetch_sub_explicit(&slot->used[device], bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&region->devices[device].memory_used, bytes, memory_order_relaxed);
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
	return atomic_load_explicit(&region->devices[device].memory_used, memory_order_relaxed);
}
