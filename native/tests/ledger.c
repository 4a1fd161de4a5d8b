/* The ledger under threads, processes, forks and SIGKILL: never over the limit, never a leak. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define LIMIT (1u << 20)
#define PROCESSES 8
#define ROUNDS 20000

static char path[64];

/* What all processes hold together, kept apart from the region that is tested. */
struct tally {
	_Atomic int64_t held, most;
};

static struct tally *tally;

static struct hetero_region *open_region(void)
{
	struct hetero_limits limits = {.any = true};
	for (unsigned i = 0; i < HETERO_DEVICES; i++)
		limits.memory[i] = LIMIT;
	return hetero_region_open(path, &limits);
}

static void count(int64_t bytes)
{
	int64_t now = atomic_fetch_add(&tally->held, bytes) + bytes, most = atomic_load(&tally->most);
	while (now > most && !atomic_compare_exchange_weak(&tally->most, &most, now))
		;
}

static void race(struct hetero_region *region, unsigned seed)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t bytes = (uint64_t)rand_r(&seed) % (LIMIT / 4);
		if (!hetero_memory_reserve(region, 0, bytes))
			continue;
		count((int64_t)bytes);
		if (i % 16 == 0)
			sched_yield(); /* so that others come while this one holds something */
		count(-(int64_t)bytes);
		hetero_memory_release(region, 0, bytes);
	}
}

static pid_t start(void (*body)(struct hetero_region *, unsigned), struct hetero_region *region, unsigned argument)
{
	pid_t child = fork();
	if (child == 0) {
		body(region, argument);
		_exit(checks_failed != 0);
	}
	CHECK(child > 0);
	return child;
}

static void end(pid_t child, int signal_number)
{
	int status;
	if (child <= 0)
		return;
	if (signal_number)
		kill(child, signal_number);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(signal_number ? WIFSIGNALED(status) : WIFEXITED(status) && !WEXITSTATUS(status));
}

static void racing_processes_never_exceed_the_limit(struct hetero_region *region)
{
	pid_t children[PROCESSES];
	for (unsigned i = 0; i < PROCESSES; i++)
		children[i] = start(race, region, i + 1);
	for (unsigned i = 0; i < PROCESSES; i++)
		end(children[i], 0);
	CHECK(atomic_load(&tally->most) > LIMIT / 4); /* they did meet */
	CHECK(atomic_load(&tally->most) <= LIMIT);
	CHECK(hetero_memory_used(region, 0) == 0);
}

static void *race_in_a_thread(void *region)
{
	race(region, (unsigned)(uintptr_t)&region);
	return NULL;
}

static void racing_threads_leave_nothing(struct hetero_region *region)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, race_in_a_thread, region);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(hetero_memory_used(region, 0) == 0);
}

static void reserves_soon(struct hetero_region *region, unsigned device)
{
	alarm(20); /* a turn that a thread of the parent had would never end */
	for (int i = 0; i < 16; i++) {
		CHECK(hetero_memory_reserve(region, device, 1));
		hetero_memory_release(region, device, 1);
	}
}

static void *race_for_a_while(void *region)
{
	unsigned seed = 5;
	for (int i = 0; i < 200000; i++)
		if (hetero_memory_reserve(region, 5, (uint64_t)rand_r(&seed) % 1000))
			hetero_memory_release(region, 5, 1000);
	return NULL;
}

static void a_child_forked_amid_its_parents_changes_is_not_stuck(struct hetero_region *region)
{
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, race_for_a_while, region);
	for (int i = 0; i < 60; i++)
		end(start(reserves_soon, region, 5), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(hetero_memory_used(region, 5) == 0);
}

static int ready[2];

static void hold_all(struct hetero_region *region, unsigned device)
{
	CHECK(hetero_memory_reserve(region, device, LIMIT));
	CHECK(write(ready[1], "x", 1) == 1);
	pause();
}

static void what_a_killed_process_held_comes_back_before_a_refusal(struct hetero_region *region)
{
	char byte;
	CHECK(pipe(ready) == 0);
	pid_t child = start(hold_all, region, 1);
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(!hetero_memory_reserve(region, 1, 1));
	end(child, SIGKILL);
	CHECK(hetero_memory_reserve(region, 1, LIMIT));
	hetero_memory_release(region, 1, LIMIT);
}

static void die_with_the_lock(struct hetero_region *region, unsigned device)
{
	CHECK(hetero_memory_reserve(region, device, LIMIT / 2));
	CHECK(hetero_region_lock(region));
	kill(getpid(), SIGKILL);
}

static void a_killed_holder_of_the_lock_keeps_nobody_waiting(struct hetero_region *region)
{
	end(start(die_with_the_lock, region, 2), SIGKILL);
	CHECK(hetero_memory_reserve(region, 2, LIMIT));
	hetero_memory_release(region, 2, LIMIT);
	CHECK(hetero_memory_used(region, 2) == 0);
}

static void hold_half(struct hetero_region *region, unsigned device)
{
	CHECK(hetero_memory_reserve(region, device, LIMIT / 2));
}

static void a_forked_child_has_a_ledger_of_its_own(struct hetero_region *region)
{
	CHECK(hetero_memory_reserve(region, 3, LIMIT / 2));
	end(start(hold_half, region, 3), 0);
	CHECK(hetero_memory_used(region, 3) == LIMIT / 2);
	hetero_memory_release(region, 3, LIMIT / 2);
	CHECK(hetero_memory_used(region, 3) == 0);
}

static void more_than_the_limit_is_refused_at_any_size(struct hetero_region *region)
{
	CHECK(!hetero_memory_reserve(region, 4, LIMIT + 1));
	CHECK(!hetero_memory_reserve(region, 4, UINT64_MAX));
	CHECK(hetero_memory_reserve(region, 4, LIMIT));
	CHECK(!hetero_memory_reserve(region, 4, UINT64_MAX));
	CHECK(!hetero_memory_reserve(region, HETERO_DEVICES, 1));
	hetero_memory_release(region, 4, LIMIT);
}

static void giving_back_nothing_changes_nothing(struct hetero_region *region)
{
	CHECK(hetero_memory_reserve(region, 6, 1000));
	uint64_t last = region->devices[6].memory.last;
	hetero_memory_release(region, 6, 0);
	CHECK(region->devices[6].memory.last == last);
	hetero_memory_release(region, 6, 1000);
	CHECK(region->devices[6].memory.last != last && hetero_memory_used(region, 6) == 0);
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-%d.region", (int)getpid());
	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct hetero_region *region = open_region();
	CHECK(region != NULL);
	if (!region)
		return EXIT_FAILURE;
	racing_processes_never_exceed_the_limit(region);
	racing_threads_leave_nothing(region);
	a_child_forked_amid_its_parents_changes_is_not_stuck(region);
	what_a_killed_process_held_comes_back_before_a_refusal(region);
	a_killed_holder_of_the_lock_keeps_nobody_waiting(region);
	a_forked_child_has_a_ledger_of_its_own(region);
	more_than_the_limit_is_refused_at_any_size(region);
	giving_back_nothing_changes_nothing(region);
	unlink(path);
	return TEST_RESULT();
}
