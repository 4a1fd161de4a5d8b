/*
 * race: processes of one slice allocate and free at random, all at once.  What
 * they hold together is kept in memory that they share, and must never exceed
 * the limit.
 *
 * A process counts memory after it was granted and uncounts it before it frees
 * it, so the sum is never more than what is really held: one sum above the limit
 * proves that the limit was broken.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "paths.h"

static const char usage[] =
	"usage: race --limit SIZE [--processes 8] [--threads 1] [--seconds 3] [--most 64m] [--mixed] [--limit-check]\n"
	"  --limit        what the processes may hold together\n"
	"  --processes    how many take part (1 to 64)\n"
	"  --threads      in each of them (1 to 16)\n"
	"  --seconds      how long\n"
	"  --most         the largest single allocation\n"
	"  --mixed        by all calls that fill knows, not by cuMemAlloc alone\n"
	"  --limit-check  exit 1 if the limit was exceeded, even for a moment\n"
	"Exit code 0: the limit held; 1: it did not, or a process failed; 2: wrong usage.\n";

#define LIVE 64 /* allocations that one process holds at most */

struct shared {
	_Atomic uint64_t ready; /* processes that have their context */
	_Atomic uint64_t held, most_held, granted, refused;
};

struct plan {
	uint64_t limit, processes, threads, seconds, most;
	bool must_hold, mixed;
};

static struct plan read_arguments(char **argument)
{
	struct plan plan = {.processes = 8, .threads = 1, .seconds = 3, .most = 64 * MIB};
	while (*argument) {
		const char *option = *argument++, *value = *argument;
		if (strcmp(option, "--limit-check") == 0) {
			plan.must_hold = true;
			continue;
		}
		if (strcmp(option, "--mixed") == 0) {
			plan.mixed = true;
			continue;
		}
		if (strcmp(option, "--limit") == 0)
			plan.limit = size_argument(option, value);
		else if (strcmp(option, "--processes") == 0)
			plan.processes = number_argument(option, value, 1, 64);
		else if (strcmp(option, "--threads") == 0)
			plan.threads = number_argument(option, value, 1, 16);
		else if (strcmp(option, "--seconds") == 0)
			plan.seconds = number_argument(option, value, 1, 86400);
		else if (strcmp(option, "--most") == 0)
			plan.most = size_argument(option, value);
		else
			break;
		argument++;
	}
	if (*argument || !plan.limit || plan.most < MIB) {
		fputs(usage, stderr);
		exit(2);
	}
	return plan;
}

static void count(struct shared *shared, uint64_t bytes)
{
	uint64_t held = atomic_fetch_add(&shared->held, bytes) + bytes;
	uint64_t most = atomic_load(&shared->most_held);
	while (held > most && !atomic_compare_exchange_weak(&shared->most_held, &most, held))
		;
}

struct allocation {
	const struct paths_api *api;
	CUdeviceptr held;
	uint64_t bytes;
};

static void drop(struct shared *shared, struct allocation *allocation)
{
	atomic_fetch_sub(&shared->held, allocation->bytes);
	check(allocation->api->release(allocation->held, allocation->bytes), allocation->api->name);
	allocation->bytes = 0;
}

/* A mipmapped array is smaller than what is asked for, and so would be counted too much. */
static const struct paths_api *choose(const struct plan *plan, unsigned *seed)
{
	for (;;) {
		const struct paths_api *api = &paths[plan->mixed ? (size_t)rand_r(seed) % paths_count : 0];
		if (!api->old && strcmp(api->name, "mipmap") != 0)
			return api;
	}
}

static void grab(struct shared *shared, const struct plan *plan, struct allocation *allocation, unsigned *seed)
{
	uint64_t bytes = (1 + (uint64_t)rand_r(seed) % (plan->most / MIB)) * MIB;
	allocation->api = choose(plan, seed);
	if (plan->mixed)
		bytes = (bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB); /* physical memory has no less */
	CUresult result = allocation->api->allocate(&allocation->held, bytes);
	if (result == CUDA_ERROR_OUT_OF_MEMORY) {
		atomic_fetch_add(&shared->refused, 1);
		return;
	}
	check(result, allocation->api->name);
	allocation->bytes = bytes;
	atomic_fetch_add(&shared->granted, 1);
	count(shared, bytes);
}

/* What a context takes counts to the slice: all have theirs before the first takes the rest. */
static void wait_for_the_others(struct shared *shared, const struct plan *plan)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	double end = seconds_now() + 30;
	atomic_fetch_add(&shared->ready, 1);
	while (atomic_load(&shared->ready) < plan->processes && seconds_now() < end)
		nanosleep(&moment, NULL);
}

struct part {
	struct shared *shared;
	const struct plan *plan;
	unsigned seed;
};

static void *run_thread(void *argument)
{
	const struct part *part = argument;
	struct shared *shared = part->shared;
	const struct plan *plan = part->plan;
	unsigned seed = part->seed;
	struct allocation live[LIVE] = {0};
	use_device(0);
	double end = seconds_now() + (double)plan->seconds;
	while (seconds_now() < end) {
		struct allocation *chosen = &live[(unsigned)rand_r(&seed) % LIVE];
		if (chosen->bytes)
			drop(shared, chosen);
		else
			grab(shared, plan, chosen, &seed);
	}
	for (int i = 0; i < LIVE; i++)
		if (live[i].bytes)
			drop(shared, &live[i]);
	CHECK(cuDevicePrimaryCtxRelease_v2(0));
	return NULL;
}

static int take_part(struct shared *shared, const struct plan *plan, unsigned seed)
{
	pthread_t threads[16];
	struct part parts[16];
	CUdevice device = use_device(0);
	wait_for_the_others(shared, plan);
	for (unsigned i = 0; i < plan->threads; i++) {
		parts[i] = (struct part){shared, plan, seed * 16 + i};
		if (pthread_create(&threads[i], NULL, run_thread, &parts[i]) != 0)
			return 1;
	}
	for (unsigned i = 0; i < plan->threads; i++)
		pthread_join(threads[i], NULL);
	CHECK(cuDevicePrimaryCtxRelease_v2(device));
	return 0;
}

/* The driver cannot be used in a child of a process that used it: fork comes before cuInit. */
static uint64_t start_all(struct shared *shared, const struct plan *plan)
{
	uint64_t started = 0;
	fflush(NULL);
	for (; started < plan->processes; started++) {
		pid_t child = fork();
		if (child == 0)
			exit(take_part(shared, plan, (unsigned)getpid()));
		if (child < 0) {
			perror("fork");
			break;
		}
	}
	return started;
}

static uint64_t wait_for_all(uint64_t started)
{
	uint64_t good = 0;
	while (started) {
		int status = 0;
		pid_t child = waitpid(-1, &status, 0);
		if (child < 0 && errno != EINTR)
			break;
		if (child <= 0)
			continue;
		started--;
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return good;
}

int main(int argc, char **argv)
{
	(void)argc;
	struct plan plan = read_arguments(argv + 1);
	struct shared *shared =
		mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	uint64_t good = wait_for_all(start_all(shared, &plan));
	bool kept = shared->most_held <= plan.limit;
	printf("%llu of %llu processes ended well, %llu allocations granted, %llu refused\n", (unsigned long long)good,
	       (unsigned long long)plan.processes, (unsigned long long)shared->granted,
	       (unsigned long long)shared->refused);
	printf("most held together %llu MiB, limit %llu MiB: %s\n", (unsigned long long)(shared->most_held / MIB),
	       (unsigned long long)(plan.limit / MIB), kept ? "kept" : "EXCEEDED");
	return good == plan.processes && (kept || !plan.must_hold) ? 0 : 1;
}
