/*
 * ledgercost: what the ledger of a slice costs by itself, without a driver, as one line of JSON in ns: a reservation
 * and its return with nobody else, the same in 8 processes at once (processor time of each pair, and its share of the
 * time that passed), what asking for the sum costs with and without others, and joining, in a process that was just
 * forked.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"

#define ROUNDS 9
#define PAIRS 200000
#define RACERS 8
#define BYTES 4096

static struct hetero_region *region;

static double ns_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "ledgercost: %s\n", what);
	exit(1);
}

static void pairs(int count)
{
	for (int i = 0; i < count; i++) {
		if (!hetero_memory_reserve(region, 0, BYTES))
			fail("a reservation was refused");
		hetero_memory_release(region, 0, BYTES);
	}
}

static void ask(int count)
{
	for (int i = 0; i < count; i++)
		hetero_memory_used(region, 0);
}

/* The least of several rounds: a round that was interrupted only measures longer. */
static double least_ns(void (*call)(int), int count)
{
	double least = 0;
	for (int round = 0; round < ROUNDS; round++) {
		double start = ns_of(CLOCK_MONOTONIC);
		call(count);
		double ns = (ns_of(CLOCK_MONOTONIC) - start) / count;
		least = round == 0 || ns < least ? ns : least;
	}
	return least;
}

struct race {
	_Atomic int ready;
	double processor_ns[RACERS];
};

static void race(struct race *shared, int racer)
{
	hetero_slot_join(region);
	atomic_fetch_add(&shared->ready, 1);
	while (atomic_load(&shared->ready) < RACERS)
		usleep(100);
	double start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
	pairs(PAIRS);
	shared->processor_ns[racer] = (ns_of(CLOCK_PROCESS_CPUTIME_ID) - start) / PAIRS;
	_exit(0);
}

static double run_race(double *passed)
{
	struct race *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double sum = 0, start = ns_of(CLOCK_MONOTONIC);
	if (shared == MAP_FAILED)
		fail("no memory");
	for (int i = 0; i < RACERS; i++)
		if (fork() == 0)
			race(shared, i);
	for (int i = 0; i < RACERS; i++)
		wait(NULL);
	*passed = (ns_of(CLOCK_MONOTONIC) - start) / PAIRS / RACERS;
	for (int i = 0; i < RACERS; i++)
		sum += shared->processor_ns[i];
	munmap(shared, sizeof *shared);
	return sum / RACERS;
}

static double join_ns(void)
{
	double *least = mmap(NULL, sizeof *least, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), answer;
	if (least == MAP_FAILED)
		fail("no memory");
	for (int round = 0; round < 5 * ROUNDS; round++) {
		if (fork() == 0) {
			double start = ns_of(CLOCK_MONOTONIC);
			hetero_slot_join(region);
			double ns = ns_of(CLOCK_MONOTONIC) - start;
			*least = *least == 0 || ns < *least ? ns : *least;
			_exit(0);
		}
		wait(NULL);
	}
	answer = *least;
	munmap(least, sizeof *least);
	return answer;
}

int main(void)
{
	const struct hetero_limits limits = {.any = true, .memory = {1u << 30}};
	char path[64];
	snprintf(path, sizeof path, "/tmp/hetero-ledgercost-%d.region", (int)getpid());
	region = hetero_region_open(path, &limits);
	unlink(path);
	if (!region)
		fail("no region");
	double passed, alone = least_ns(pairs, PAIRS), asked = least_ns(ask, PAIRS);
	double raced = run_race(&passed), joined = join_ns();
	pid_t other = fork();
	if (other == 0) {
		hetero_memory_reserve(region, 0, BYTES);
		pause();
	}
	usleep(50000);
	double shared = least_ns(ask, PAIRS);
	if (other > 0)
		kill(other, SIGKILL);
	wait(NULL);
	printf("{\"pair\": %.1f, \"pair_racing\": %.1f, \"pair_racing_passed\": %.1f, \"used\": %.1f, "
	       "\"used_shared\": %.1f, \"join\": %.0f}\n",
	       alone, raced, passed, asked, shared, joined);
	return 0;
}
