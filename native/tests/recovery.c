/*
 * recovery: how long after a process was killed the next allocation in its slice succeeds, in ns, as one line of JSON:
 * the medians for deaths at named moments, with the region's lock held or amid a change, and for a process that gave
 * everything back and ended. Whoever comes next is new, so it takes the lock, and asks for all of the limit, so it needs
 * what the dead one held.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"

#define ROUNDS 61
#define LIMIT 1000u

static struct moments {
	_Atomic int ready, begun; /* the next one has opened the region; it is to ask for memory */
	_Atomic uint64_t end_ns, granted_ns;
} *moments;

static const char *deadly;   /* the moment at which this process is killed; NULL: at none */
static bool keeps_waiting;   /* the next one asks before that, and waits for the lock */
static char path[64];

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "recovery: %s\n", what);
	unlink(path);
	_exit(1);
}

void hetero_point(const char *name)
{
	const struct timespec long_enough = {.tv_nsec = 2000000};
	if (!deadly || strcmp(name, deadly) != 0)
		return;
	if (keeps_waiting) {
		moments->begun = 1;
		nanosleep(&long_enough, NULL);
	}
	moments->end_ns = now_ns();
	moments->begun = 1;
	kill(getpid(), SIGKILL);
}

static void reserve(struct hetero_region *region, uint64_t bytes)
{
	if (!hetero_memory_reserve(region, 0, bytes))
		fail("a reservation was refused");
}

static void ends_well(struct hetero_region *region, const char *moment)
{
	(void)moment;
	reserve(region, 300);
	hetero_memory_release(region, 0, 300);
	moments->end_ns = now_ns();
	moments->begun = 1;
}

static void dies_joining(struct hetero_region *region, const char *moment)
{
	deadly = moment;
	reserve(region, 300);
}

static void dies_while_waited_for(struct hetero_region *region, const char *moment)
{
	keeps_waiting = true;
	dies_joining(region, moment);
}

static void dies_reserving(struct hetero_region *region, const char *moment)
{
	reserve(region, 300);
	deadly = moment;
	reserve(region, 300);
}

static void dies_sweeping(struct hetero_region *region, const char *moment)
{
	pid_t child = fork();
	if (child == 0) {
		reserve(region, 300);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	deadly = moment;
	if (hetero_region_lock(region))
		hetero_slots_sweep(region);
}

static const struct death {
	const char *name, *moment;
	void (*body)(struct hetero_region *, const char *);
} deaths[] = {
	{"nobody killed", NULL, ends_well},
	{"joining, with the lock", "slots.claimed", dies_joining},
	{"with the lock, for which the next one waits", "slots.claimed", dies_while_waited_for},
	{"sweeping, with the lock", "slots.returned", dies_sweeping},
	{"at a sweep's end, with the lock", "slots.emptied", dies_sweeping},
	{"amid a reservation, announced", "ledger.announced", dies_reserving},
	{"amid a reservation, exchanged", "ledger.exchanged", dies_reserving},
};

#define DEATHS (sizeof deaths / sizeof *deaths)

/* Whoever is dying has not yet given back what it holds: that is waited for, and counts. */
static void come_next(struct hetero_region *region)
{
	moments->ready = 1;
	while (!moments->begun)
		sched_yield();
	while (!hetero_memory_reserve(region, 0, LIMIT))
		sched_yield();
	moments->granted_ns = now_ns();
	_exit(0);
}

static pid_t start(void)
{
	pid_t child = fork();
	if (child < 0)
		fail("no process can be started");
	return child;
}

static void await(pid_t child, bool killed)
{
	int status = 0;
	if (waitpid(child, &status, 0) != child || (WIFSIGNALED(status) != 0) != killed || (!killed && status))
		fail("a process ended in another way than it should");
}

static uint64_t once(const struct death *death)
{
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	unlink(path);
	struct hetero_region *region = hetero_region_open(path, &limits);
	if (!region)
		fail("no region can be had");
	memset(moments, 0, sizeof *moments);
	pid_t next = start();
	if (next == 0)
		come_next(region);
	while (!moments->ready)
		sched_yield();
	pid_t dying = start();
	if (dying == 0) {
		death->body(region, death->moment);
		_exit(0);
	}
	await(dying, death->moment != NULL);
	await(next, false);
	munmap(region, sizeof *region);
	return moments->granted_ns - moments->end_ns;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

int main(void)
{
	static uint64_t times[DEATHS][ROUNDS];
	snprintf(path, sizeof path, "/tmp/hetero-recovery-%d.region", (int)getpid());
	moments = mmap(NULL, sizeof *moments, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (moments == MAP_FAILED)
		fail("no memory can be shared");
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < DEATHS; i++)
			times[i][round] = once(&deaths[i]);
	unlink(path);
	for (size_t i = 0; i < DEATHS; i++) {
		qsort(times[i], ROUNDS, sizeof times[i][0], compare);
		printf("%s\"%s\": %llu", i ? ", " : "{", deaths[i].name, (unsigned long long)times[i][ROUNDS / 2]);
	}
	printf("}\n");
	return 0;
}
