/*
 * Which processes of the slice live. Each takes a slot, and a thread of its own claims it for life: the kernel marks
 * the claim when the process ends, however it ends. No process id is compared, so namespaces and reuse do not matter.
 */
#include "slots.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"
#include "ledger.h"
#include "point.h"

/* The inode of the first namespace of process ids, as in the kernel's include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu

static _Atomic(struct hetero_region_slot *) mine;
static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;
static struct hetero_keeper *spare; /* one that found no slot yet: there is one in a process, however often it asks */

/* A forked child has none of its parent's threads, so it lives in no slot; it joins when it first needs one. */
static void forget_in_child(void)
{
	atomic_store(&mine, NULL);
	spare = NULL;
	pthread_mutex_init(&joining, NULL);
	hetero_memory_forked();
}

/* The beginning of a file of /proc, as text; empty when it cannot be read. */
static void read_beginning(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = file >= 0 ? read(file, text, size - 1) : 0;
	text[got > 0 ? got : 0] = '\0';
	if (file >= 0)
		close(file);
}

static void read_command(char *name, size_t size)
{
	read_beginning("/proc/self/comm", name, size);
	name[strcspn(name, "\n")] = '\0';
}

static bool in_first_namespace(void)
{
	struct stat found;
	return stat("/proc/self/ns/pid", &found) == 0 && found.st_ino == FIRST_PID_NAMESPACE;
}

/* proc(5), NSpid: from the namespace of the mount on inwards. A single number says nothing within a container. */
static uint32_t read_host_pid(void)
{
	char status[2048];
	unsigned outer, inner;
	if (in_first_namespace())
		return (uint32_t)getpid();
	read_beginning("/proc/self/status", status, sizeof status);
	const char *line = strstr(status, "\nNSpid:");
	return line && sscanf(line, " NSpid: %u %u", &outer, &inner) == 2 ? outer : 0;
}

/* What can be known before the slot is there, so that the lock is not held for it. */
static void introduce(struct hetero_region_slot *self)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	read_command(self->name, sizeof self->name);
	self->pid = (uint32_t)getpid();
	self->host_pid = read_host_pid();
	self->start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void take(struct hetero_region_slot *slot, const struct hetero_region_slot *self, struct hetero_keeper *keeper)
{
	memcpy(slot->name, self->name, sizeof slot->name);
	slot->pid = self->pid;
	slot->host_pid = self->host_pid;
	slot->start_ns = self->start_ns;
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		atomic_store(&slot->busy_ns[device], 0);
		atomic_store(&slot->launches[device], 0);
		atomic_store(&slot->drawn_ns[device], 0);
		atomic_store(&slot->context_bytes[device], 0);
		atomic_store(&slot->module_bytes[device], 0);
	}
	hetero_keeper_claim(keeper, &slot->alive);
	HETERO_POINT("slots.claimed");
	atomic_store(&slot->state, HETERO_SLOT_TAKEN);
}

/* With the lock held. */
static struct hetero_region_slot *find_free(struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS; i++) {
		if (atomic_load(&region->slots[i].state) == HETERO_SLOT_TAKEN)
			continue;
		if (i >= atomic_load(&region->slots_used))
			atomic_store(&region->slots_used, i + 1);
		return &region->slots[i];
	}
	return NULL;
}

static struct hetero_region_slot *take_any(struct hetero_region *region, struct hetero_keeper *keeper)
{
	struct hetero_region_slot self = {0};
	introduce(&self);
	if (!hetero_region_lock(region))
		return NULL;
	struct hetero_region_slot *slot = find_free(region);
	if (!slot && hetero_slots_sweep(region))
		slot = find_free(region);
	if (slot) {
		hetero_memory_begin(region, (unsigned)(slot - region->slots));
		take(slot, &self, keeper);
	}
	hetero_region_unlock(region);
	return slot;
}

/* Once; it is tried again at the next call, since other threads and processes may end. */
static void complain(void)
{
	static bool done;
	if (!done && spare)
		hetero_log(HETERO_ERROR, "no slot can be had for this process; the slice holds %u", HETERO_SLOTS);
	else if (!done)
		hetero_log(HETERO_ERROR, "this process can have no further thread, and no memory without it");
	done = true;
}

static struct hetero_region_slot *join(struct hetero_region *region)
{
	static bool prepared;
	if (!prepared)
		pthread_atfork(NULL, NULL, forget_in_child);
	prepared = true;
	if (!spare)
		spare = hetero_keeper_start();
	struct hetero_region_slot *slot = spare ? take_any(region, spare) : NULL;
	if (slot)
		spare = NULL;
	else
		complain();
	atomic_store(&mine, slot);
	return slot;
}

struct hetero_region_slot *hetero_slot_mine(void)
{
	return atomic_load_explicit(&mine, memory_order_acquire);
}

struct hetero_region_slot *hetero_slot_join(struct hetero_region *region)
{
	struct hetero_region_slot *slot = hetero_slot_mine();
	if (slot)
		return slot;
	pthread_mutex_lock(&joining);
	slot = atomic_load(&mine);
	if (!slot)
		slot = join(region);
	pthread_mutex_unlock(&joining);
	return slot;
}

/* Device time that the dead had drawn and not used; what it had overdrawn is spent. */
static void return_drawn(struct hetero_region_device *device, _Atomic int64_t *drawn)
{
	int64_t left = atomic_exchange(drawn, 0);
	if (left > 0)
		atomic_fetch_add(&device->budget_ns, left);
}

/* A change also where nothing is held: after it nobody who was taken for dead can change anything. */
static void return_held(struct hetero_region *region, unsigned slot, unsigned device)
{
	bool returned = false;
	/* The last thread of a killed process may just have been ahead. */
	for (int tries = 8; !returned && tries; tries--) {
		uint64_t number = hetero_ledger_number(region, slot, device);
		returned = hetero_ledger_shrink(region, slot, device, UINT64_MAX, &number);
	}
}

static void bury(struct hetero_region *region, unsigned slot)
{
	struct hetero_region_slot *dead = &region->slots[slot];
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		return_held(region, slot, device);
		atomic_store(&dead->context_bytes[device], 0);
		atomic_store(&dead->module_bytes[device], 0);
		HETERO_POINT("slots.returned");
		return_drawn(&region->devices[device], &dead->drawn_ns[device]);
	}
	HETERO_POINT("slots.emptied");
	atomic_store(&dead->state, HETERO_SLOT_FREE);
}

/* Whatever a damaged region says, there are no more. */
static unsigned used_slots(const struct hetero_region *region)
{
	unsigned used = atomic_load_explicit(&region->slots_used, memory_order_acquire);
	return used < HETERO_SLOTS ? used : HETERO_SLOTS;
}

static bool is_dead(const struct hetero_region_slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire) == HETERO_SLOT_TAKEN &&
	       hetero_claim_ended(&slot->alive);
}

unsigned hetero_slots_sweep(struct hetero_region *region)
{
	unsigned freed = 0;
	for (unsigned i = 0; i < used_slots(region); i++)
		if (is_dead(&region->slots[i])) {
			bury(region, i);
			freed++;
		}
	return freed;
}

static bool anybody_dead(const struct hetero_region *region)
{
	for (unsigned i = 0; i < used_slots(region); i++)
		if (is_dead(&region->slots[i]))
			return true;
	return false;
}

/* Who is dead can be seen without the lock, and mostly nobody is. */
unsigned hetero_slots_bury(struct hetero_region *region)
{
	unsigned freed = 0;
	if (!anybody_dead(region) || !hetero_region_lock(region))
		return 0;
	freed = hetero_slots_sweep(region);
	hetero_region_unlock(region);
	return freed;
}
