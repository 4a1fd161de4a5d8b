/*
 * Which processes of the slice live. Each takes a slot and has a thread of its own hold the slot's robust mutex for life:
 * the kernel marks the mutex when the process ends, however it ends. No process id is compared, so namespaces and
 * reuse do not matter.
 */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"

/* Enough for a thread that only waits; the least that every C library takes. */
#define STACK_BYTES (64 * 1024)

static _Atomic(struct hetero_region_slot *) mine;
static pthread_mutex_t joining = PTHREAD_MUTEX_INITIALIZER;
static bool full; /* nobody joins a full slice a second time: each try would cost a thread */

struct keeper {
	struct hetero_region *region;
	struct hetero_region_slot *slot;
	sem_t done;
};

/* A forked child has none of its parent's threads, so it lives in no slot; it joins when it first needs one. */
static void forget_in_child(void)
{
	atomic_store(&mine, NULL);
	full = false;
	pthread_mutex_init(&joining, NULL);
}

static void read_command(char *name, size_t size)
{
	FILE *file = fopen("/proc/self/comm", "re");
	if (!file)
		return;
	if (fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static void introduce(struct hetero_region_slot *slot)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	memset(slot->name, 0, sizeof slot->name);
	read_command(slot->name, sizeof slot->name);
	slot->pid = (uint32_t)getpid();
	slot->start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		atomic_store(&slot->busy_ns[device], 0);
		atomic_store(&slot->launches[device], 0);
	}
	atomic_store(&slot->state, HETERO_SLOT_TAKEN);
}

static bool take(struct hetero_region_slot *slot)
{
	if (atomic_load(&slot->state) != HETERO_SLOT_FREE)
		return false;
	int answer = pthread_mutex_trylock(&slot->alive.mutex);
	if (answer == EOWNERDEAD)
		pthread_mutex_consistent(&slot->alive.mutex);
	else if (answer != 0)
		return false;
	introduce(slot);
	return true;
}

static struct hetero_region_slot *take_any(struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS; i++) {
		if (!take(&region->slots[i]))
			continue;
		if (i >= atomic_load(&region->slots_used))
			atomic_store(&region->slots_used, i + 1);
		return &region->slots[i];
	}
	return NULL;
}

static void *keep(void *argument)
{
	struct keeper *keeper = argument;
	hetero_region_lock(keeper->region);
	struct hetero_region_slot *slot = take_any(keeper->region);
	if (!slot && hetero_slots_sweep(keeper->region))
		slot = take_any(keeper->region);
	hetero_region_unlock(keeper->region);
	keeper->slot = slot;
	sem_post(&keeper->done); /* the keeper's frame may be gone from here on */
	while (slot)
		pause(); /* until the process ends; signals are blocked */
	return NULL;
}

/* The program's signals are the program's: a thread of ours takes none. */
static bool start(struct keeper *keeper)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	long least = PTHREAD_STACK_MIN;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, least > STACK_BYTES ? (size_t)least : STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int answer = pthread_create(&thread, &attributes, keep, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return answer == 0;
}

static struct hetero_region_slot *join(struct hetero_region *region)
{
	static bool prepared;
	struct keeper keeper = {.region = region};
	if (!prepared)
		pthread_atfork(NULL, NULL, forget_in_child);
	prepared = true;
	sem_init(&keeper.done, 0, 0);
	if (start(&keeper))
		while (sem_wait(&keeper.done) < 0)
			;
	sem_destroy(&keeper.done);
	if (!keeper.slot) {
		full = true;
		hetero_log(HETERO_ERROR, "no slot is left for this process; the slice holds %u", HETERO_SLOTS);
	}
	atomic_store(&mine, keeper.slot);
	return keeper.slot;
}

struct hetero_region_slot *hetero_slot_join(struct hetero_region *region)
{
	struct hetero_region_slot *slot = atomic_load_explicit(&mine, memory_order_acquire);
	if (slot)
		return slot;
	pthread_mutex_lock(&joining);
	slot = atomic_load(&mine);
	if (!slot && !full)
		slot = join(region);
	pthread_mutex_unlock(&joining);
	return slot;
}

static void give_back(struct hetero_region *region, struct hetero_region_slot *slot)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		struct hetero_ledger_entry *entry = &slot->memory[device];
		uint64_t held = hetero_ledger_held(entry);
		atomic_store(&entry->after[atomic_load(&entry->done) % 2], 0);
		atomic_fetch_sub(&region->devices[device].memory.bytes, held);
	}
	atomic_store(&slot->state, HETERO_SLOT_FREE);
}

/* Frees the slot if its process is dead: then the mutex can be had, with a mark or without. */
static bool sweep(struct hetero_region *region, struct hetero_region_slot *slot)
{
	if (atomic_load(&slot->state) != HETERO_SLOT_TAKEN || slot == atomic_load(&mine))
		return false;
	int answer = pthread_mutex_trylock(&slot->alive.mutex);
	if (answer != 0 && answer != EOWNERDEAD)
		return false;
	if (answer == EOWNERDEAD)
		pthread_mutex_consistent(&slot->alive.mutex);
	give_back(region, slot);
	pthread_mutex_unlock(&slot->alive.mutex);
	return true;
}

unsigned hetero_slots_sweep(struct hetero_region *region)
{
	unsigned freed = 0;
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		freed += sweep(region, &region->slots[i]);
	return freed;
}
