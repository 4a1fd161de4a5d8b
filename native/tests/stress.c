/*
 * Processes that reserve and give back as fast as they can, while they are killed at random: the sum is never above
 * the limit, and when all are dead it is, before and after they are swept up, what the ledgers say.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define LIMIT 100000u
#define WORKERS 6
#define HELD 8
#define ROUNDS 120

static char path[64];

static void work(struct hetero_region *region, unsigned seed)
{
	uint64_t held[HELD] = {0};
	for (;;) {
		unsigned i = (unsigned)rand_r(&seed) % HELD;
		if (held[i])
			hetero_memory_release(region, 0, held[i]);
		held[i] = (uint64_t)rand_r(&seed) % (LIMIT / 10);
		if (!hetero_memory_reserve(region, 0, held[i]))
			held[i] = 0;
	}
}

static pid_t start(struct hetero_region *region, unsigned seed)
{
	pid_t child = fork();
	if (child == 0)
		work(region, seed);
	CHECK(child > 0);
	return child;
}

static void end(pid_t child)
{
	if (child <= 0)
		return;
	kill(child, SIGKILL);
	CHECK(waitpid(child, NULL, 0) == child);
}

static uint64_t sum_of(const struct hetero_region *region)
{
	return atomic_load(&region->devices[0].memory.bytes);
}

static uint64_t held_together(const struct hetero_region *region)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < atomic_load(&region->slots_used); slot++)
		sum += hetero_ledger_held(region, slot, 0);
	return sum;
}

/* True when the sum was seen at more than half the limit: otherwise nothing was at stake. */
static bool watch(const struct hetero_region *region)
{
	const struct timespec moment = {.tv_nsec = 100000};
	bool full = false;
	for (int i = 0; i < 10; i++) {
		uint64_t sum = sum_of(region);
		CHECK(sum <= LIMIT);
		full |= sum > LIMIT / 2;
		nanosleep(&moment, NULL);
	}
	return full;
}

static void random_deaths_leave_the_sum_right(struct hetero_region *region)
{
	pid_t workers[WORKERS];
	unsigned seed = 7, full = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = start(region, i + 1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned one = (unsigned)rand_r(&seed) % WORKERS;
		end(workers[one]);
		if (round % 10 == 0)
			full += watch(region);
		workers[one] = start(region, round + 100);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		end(workers[i]);
	CHECK(full > 0);
	CHECK(sum_of(region) == held_together(region));
	CHECK(hetero_memory_used(region, 0) == 0);
	CHECK(hetero_memory_reserve(region, 0, LIMIT));
	CHECK(sum_of(region) == LIMIT && held_together(region) == LIMIT);
}

int main(void)
{
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	snprintf(path, sizeof path, "/tmp/hetero-test-stress-%d.region", (int)getpid());
	struct hetero_region *region = hetero_region_open(path, &limits);
	CHECK(region != NULL);
	if (region)
		random_deaths_leave_the_sum_right(region);
	unlink(path);
	return TEST_RESULT();
}
