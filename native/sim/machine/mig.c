/* Instances: where they may lie, making them, and the place that a program finds them at. */
#include "mig.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

static bool crosses(uint32_t start, uint32_t size, uint32_t other_start, uint32_t other_size)
{
	return start < other_start + other_size && other_start < start + size;
}

/* A reset gives a change of the mode its effect, and ends all instances. */
static void reset(struct sim_mig *mig, uint32_t resets)
{
	mig->current = mig->pending;
	mig->resets = resets;
	memset(mig->instances, 0, sizeof mig->instances);
}

struct sim_mig *sim_mig_of(struct sim_machine *machine, uint32_t card)
{
	const struct sim_card_config *config = &machine->config.cards[card];
	struct sim_mig *mig = &machine->state->cards[card].mig;
	if (!mig->known) {
		mig->current = mig->pending = (uint32_t)config->mig_mode;
		mig->resets = (uint32_t)config->resets;
		mig->known = 1;
	}
	if (mig->resets < (uint32_t)config->resets)
		reset(mig, (uint32_t)config->resets);
	return mig;
}

bool sim_mig_fits(const struct sim_layout *layout, const struct sim_mig *mig, const struct sim_profile *profile,
		  uint32_t start)
{
	uint32_t same = 0;
	if (start % profile->step || start + profile->places > layout->places ||
	    start + profile->slices > layout->slices) /* the last slice of memory has no compute slice beside it */
		return false;
	for (int i = 0; i < SIM_INSTANCES; i++) {
		const struct sim_gpu_instance *other = &mig->instances[i];
		const struct sim_profile *its = &layout->profiles[other->profile];
		if (other->taken && crosses(start, profile->places, other->start, its->places))
			return false;
		same += other->taken && its == profile;
	}
	return same < profile->most;
}

/* The ids of a size follow those of the next greater one, as on real cards: none of them says where it lies. */
static uint32_t next_id(const struct sim_layout *layout, const struct sim_mig *mig, const struct sim_profile *profile)
{
	uint32_t id = layout->places / profile->places - 1;
	for (int i = 0; i < SIM_INSTANCES; i++)
		if (mig->instances[i].taken && mig->instances[i].id == id) {
			id++;
			i = -1;
		}
	return id;
}

struct sim_gpu_instance *sim_mig_make(const struct sim_layout *layout, struct sim_mig *mig,
				      const struct sim_profile *profile, uint32_t start)
{
	if (start > layout->places)
		for (start = layout->places; start-- && !sim_mig_fits(layout, mig, profile, start);)
			;
	if (start > layout->places || !sim_mig_fits(layout, mig, profile, start))
		return NULL;
	for (int i = 0; i < SIM_INSTANCES; i++) {
		struct sim_gpu_instance *made = &mig->instances[i];
		if (made->taken)
			continue;
		uint32_t id = next_id(layout, mig, profile);
		*made = (struct sim_gpu_instance){
			.id = id, .start = start, .profile = (uint32_t)(profile - layout->profiles)};
		made->taken = 1;
		return made;
	}
	return NULL;
}

static bool slices_free(const struct sim_gpu_instance *instance, uint32_t start, uint32_t slices)
{
	for (int i = 0; i < SIM_INSTANCES; i++) {
		const struct sim_compute_instance *other = &instance->compute[i];
		if (other->taken && crosses(start, slices, other->start, other->slices))
			return false;
	}
	return true;
}

uint32_t sim_compute_room(const struct sim_layout *layout, const struct sim_gpu_instance *instance, uint32_t slices)
{
	uint32_t most = layout->profiles[instance->profile].slices;
	for (uint32_t start = 0; start + slices <= most; start++)
		if (slices_free(instance, start, slices))
			return start;
	return most;
}

/* True when a compute instance of the card has this index; of the machine, this place. */
static bool device_taken(const struct sim_mig *mig, uint32_t device)
{
	for (int i = 0; i < SIM_INSTANCES * SIM_INSTANCES; i++) {
		const struct sim_gpu_instance *instance = &mig->instances[i / SIM_INSTANCES];
		const struct sim_compute_instance *compute = &instance->compute[i % SIM_INSTANCES];
		if (instance->taken && compute->taken && compute->device == device)
			return true;
	}
	return false;
}

static bool place_taken(const struct sim_machine *machine, uint32_t place)
{
	for (uint32_t card = 0; card < machine->config.count; card++)
		for (int i = 0; i < SIM_INSTANCES * SIM_INSTANCES; i++) {
			const struct sim_gpu_instance *instance = &machine->state->cards[card].mig.instances[i / SIM_INSTANCES];
			if (instance->taken && instance->compute[i % SIM_INSTANCES].taken &&
			    instance->compute[i % SIM_INSTANCES].place == place)
				return true;
		}
	return machine->state->cards[place].memory_used != 0; /* somebody is still there */
}

static uint32_t free_place(const struct sim_machine *machine)
{
	for (uint32_t place = SIM_CARDS; place < SIM_PLACES; place++)
		if (!place_taken(machine, place))
			return place;
	return 0;
}

static bool name_it(const struct sim_card_config *card, const struct sim_gpu_instance *instance,
		    struct sim_compute_instance *made)
{
	if (!card->mig_same_uuids) /* by number: getrandom() came with glibc 2.25, and this is built for 2.17 too */
		return syscall(SYS_getrandom, made->uuid, sizeof made->uuid, 0) == sizeof made->uuid;
	memcpy(made->uuid, card->uuid_bytes, sizeof made->uuid);
	made->uuid[0] ^= (uint8_t)(16 + instance->id);
	made->uuid[1] ^= (uint8_t)(1 + made->start);
	return true;
}

struct sim_compute_instance *sim_compute_make(struct sim_machine *machine, uint32_t card,
					      struct sim_gpu_instance *instance, uint32_t slices, uint32_t start)
{
	struct sim_mig *mig = sim_mig_of(machine, card);
	for (int i = 0; i < SIM_INSTANCES && slices_free(instance, start, slices); i++) {
		struct sim_compute_instance *made = &instance->compute[i];
		if (made->taken)
			continue;
		*made = (struct sim_compute_instance){.slices = slices, .start = start, .place = free_place(machine)};
		while (device_taken(mig, made->device))
			made->device++;
		if (!name_it(&machine->config.cards[card], instance, made))
			return NULL;
		machine->state->cards_used = SIM_PLACES;
		made->taken = 1;
		return made;
	}
	return NULL;
}

bool sim_compute_used(struct sim_machine *machine, const struct sim_compute_instance *compute)
{
	for (uint32_t i = 0; compute->place && i < machine->state->slots_used; i++) {
		const struct sim_process *process = &machine->state->processes[i];
		if (process->taken && process->contexts[compute->place])
			return true;
	}
	return false;
}

void sim_uuid_text(const uint8_t uuid[16], char text[SIM_UUID_TEXT])
{
	char *end = text + snprintf(text, SIM_UUID_TEXT, "MIG-");
	for (int i = 0; i < 16; i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;
		end += snprintf(end, (size_t)(text + SIM_UUID_TEXT - end), dash ? "-%02x" : "%02x", uuid[i]);
	}
}

/* A compute instance as a program sees a card. */
static void describe(struct sim_machine *machine, uint32_t card, const struct sim_gpu_instance *instance,
		     const struct sim_compute_instance *compute)
{
	const struct sim_card_config *whole = &machine->config.cards[card];
	const struct sim_profile *profile = &sim_layout_of(whole)->profiles[instance->profile];
	struct sim_card_config *part = &machine->config.cards[compute->place];
	char name[64], full[sizeof part->name];
	sim_profile_name(whole, profile, compute->slices, name);
	snprintf(full, sizeof full, "%.40s MIG %.40s", whole->name, name);
	*part = *whole;
	memcpy(part->name, full, sizeof full);
	sim_uuid_text(compute->uuid, part->uuid);
	memcpy(part->uuid_bytes, compute->uuid, sizeof part->uuid_bytes);
	part->memory_bytes = sim_profile_memory(whole, profile) * SIM_MIB;
	part->sm_count = sim_profile_multiprocessors(whole, profile) * compute->slices / profile->slices;
	part->nvlink_count = 0;
	part->mig_mode = 0;
}

static uint32_t search(struct sim_machine *machine, const char *prefix)
{
	uint32_t found = 0, number = 0;
	for (uint32_t card = 0; card < machine->config.count; card++) {
		struct sim_mig *mig = sim_mig_of(machine, card);
		for (int i = 0; i < SIM_INSTANCES * SIM_INSTANCES; i++) {
			const struct sim_gpu_instance *instance = &mig->instances[i / SIM_INSTANCES];
			const struct sim_compute_instance *compute = &instance->compute[i % SIM_INSTANCES];
			char text[SIM_UUID_TEXT];
			sim_uuid_text(compute->uuid, text);
			if (!instance->taken || !compute->taken || strncasecmp(text, prefix, strlen(prefix)) != 0)
				continue;
			number++;
			if ((found = compute->place))
				describe(machine, card, instance, compute);
		}
	}
	return number == 1 ? found : 0;
}

uint32_t sim_mig_place(struct sim_machine *machine, const char *prefix)
{
	sim_lock(machine->state);
	sim_sweep(machine->state);
	uint32_t place = search(machine, prefix);
	sim_unlock(machine->state);
	return place;
}
