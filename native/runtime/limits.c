/*
 * The limits that stand in a region, and who may change them. A region that `hetero run` or the node's agent made is
 * obeyed. One that the first process made from its environment belongs to the environment: a container that is
 * started anew with another limit gets it, as long as nobody lives who relies on the old one. The limits file wins
 * over both.
 */
#include "limits.h"

#include <string.h>

#include "slots.h"

static void set_all(struct hetero_region_device *device, const struct hetero_limits *limits, unsigned position)
{
	atomic_store(&device->memory_limit, limits->memory[position]);
	atomic_store(&device->core_limit, limits->cores[position]);
	atomic_store(&device->policy, limits->policy[position]);
	atomic_store(&device->priority, limits->priority[position]);
	device->flags = limits->flags[position];
	memcpy(device->uuid, limits->uuid[position], sizeof device->uuid);
}

void hetero_limits_fill(struct hetero_region *region, const struct hetero_limits *limits)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		set_all(&region->devices[device], limits, device);
	memcpy(region->slice_id, limits->slice_id, sizeof region->slice_id);
	atomic_fetch_add(&region->limits_changed, 1);
}

static bool same(const struct hetero_region_device *device, const struct hetero_limits *limits, unsigned position)
{
	return atomic_load(&device->memory_limit) == limits->memory[position] &&
	       atomic_load(&device->core_limit) == limits->cores[position] &&
	       atomic_load(&device->policy) == limits->policy[position] &&
	       atomic_load(&device->priority) == limits->priority[position] &&
	       device->flags == limits->flags[position] &&
	       strncmp(device->uuid, limits->uuid[position], sizeof device->uuid) == 0;
}

static bool all_same(const struct hetero_region *region, const struct hetero_limits *limits)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		if (!same(&region->devices[device], limits, device))
			return false;
	return true;
}

static bool anybody_lives(const struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		if (atomic_load(&region->slots[i].state) == HETERO_SLOT_TAKEN &&
		    !hetero_claim_ended(&region->slots[i].alive))
			return true;
	return false;
}

void hetero_limits_renew(struct hetero_region *region, const char *path, const struct hetero_limits *limits)
{
	bool from_environment = atomic_load(&region->flags) & HETERO_REGION_FROM_ENVIRONMENT;
	bool wins = limits->from_file;
	if ((!wins && !(limits->said && from_environment)) || all_same(region, limits))
		return;
	if (!wins && anybody_lives(region)) {
		hetero_log(HETERO_WARNING, "%s keeps its limits, since processes live in it; the environment has others",
			   path);
		return;
	}
	hetero_limits_fill(region, limits);
	if (wins)
		atomic_fetch_and(&region->flags, ~(uint32_t)HETERO_REGION_FROM_ENVIRONMENT);
}

static void lend(struct hetero_region_device *device, const struct hetero_new_limits *limits)
{
	atomic_store(&device->lent_percent, limits->lent_percent);
	atomic_store(&device->lent_until_ns, limits->lent_until_ns);
}

static void yield(struct hetero_region_device *device, const struct hetero_new_limits *limits)
{
	atomic_store(&device->yield_percent, limits->yield_percent);
	atomic_store(&device->yield_until_ns, limits->yield_until_ns);
}

bool hetero_limits_change(struct hetero_region *region, unsigned device, const struct hetero_new_limits *limits)
{
	if (device >= HETERO_DEVICES || !hetero_region_lock(region))
		return false;
	struct hetero_region_device *place = &region->devices[device];
	if (limits->kinds & HETERO_LIMIT_MEMORY)
		atomic_store(&place->memory_limit, limits->memory);
	if (limits->kinds & HETERO_LIMIT_CORES)
		atomic_store(&place->core_limit, limits->cores);
	if (limits->kinds & HETERO_LIMIT_POLICY)
		atomic_store(&place->policy, limits->policy);
	if (limits->kinds & HETERO_LIMIT_PRIORITY)
		atomic_store(&place->priority, limits->priority);
	if (limits->kinds & HETERO_LIMIT_LENT)
		lend(place, limits);
	if (limits->kinds & HETERO_LIMIT_YIELD)
		yield(place, limits);
	atomic_fetch_add(&region->limits_changed, 1);
	hetero_region_unlock(region);
	return true;
}
