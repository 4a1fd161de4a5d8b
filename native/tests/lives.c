/* How processes live and end in a slice: many at once, by exec, by pthread_exit, taken for dead, and amid signals. */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define LIMIT 4096u
#ifdef HETERO_SANITIZED
#define MANY 40 /* each takes many times the memory */
#else
#define MANY 1000
#endif

static char path[64];
static int told[2]; /* from children to the test */

static struct hetero_region *new_region(void)
{
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	unlink(path);
	return hetero_region_open(path, &limits);
}

static unsigned taken(const struct hetero_region *region)
{
	unsigned count = 0;
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		count += atomic_load(&region->slots[i].state) == HETERO_SLOT_TAKEN;
	return count;
}

static uint64_t sum_of(const struct hetero_region *region)
{
	return atomic_load(&region->devices[0].memory.bytes);
}

static void tell(char word)
{
	CHECK(write(told[1], &word, 1) == 1);
}

static char hear(void)
{
	char word = 0;
	CHECK(read(told[0], &word, 1) == 1);
	return word;
}

static void sweep(struct hetero_region *region)
{
	CHECK(hetero_region_lock(region));
	hetero_slots_sweep(region);
	hetero_region_unlock(region);
}

/* The status of a child that had to end by itself; it is killed, and the test fails, when it does not. */
static int status_of(pid_t child)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	int status = 0;
	for (int i = 0; i < 10000; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		nanosleep(&moment, NULL);
	}
	CHECK(!"the child ends");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return status;
}

static void kill_and_wait(pid_t child)
{
	if (child <= 0)
		return;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void hold_one_byte(struct hetero_region *region)
{
	tell(hetero_memory_reserve(region, 0, 1) ? 'y' : 'n');
	for (;;)
		pause();
}

static void a_thousand_processes_share_a_slice(void)
{
	static pid_t children[MANY];
	struct hetero_region *region = new_region();
	unsigned granted = 0;
	for (int i = 0; i < MANY; i++) {
		children[i] = fork();
		if (children[i] == 0)
			hold_one_byte(region);
		CHECK(children[i] > 0);
	}
	for (int i = 0; i < MANY; i++)
		granted += hear() == 'y';
	CHECK(granted == MANY && sum_of(region) == MANY && taken(region) == MANY);
	for (int i = 0; i < MANY; i++)
		kill_and_wait(children[i]);
	sweep(region);
	CHECK(sum_of(region) == 0 && taken(region) == 0);
}

static void *end_later(void *unused)
{
	const struct timespec moment = {.tv_nsec = 20000000};
	nanosleep(&moment, NULL);
	return unused;
}

/* The C library ends a process when the last thread that it knows of ends. */
static void a_process_whose_threads_have_all_ended_is_over(void)
{
#ifdef __SANITIZE_THREAD__
	puts("left out: ThreadSanitizer has a thread of its own, for which the process lives on");
	return;
#endif
	struct hetero_region *region = new_region();
	pid_t child = fork();
	if (child == 0) {
		pthread_t thread;
		CHECK(hetero_memory_reserve(region, 0, 100));
		CHECK(pthread_create(&thread, NULL, end_later, NULL) == 0);
		pthread_exit(NULL);
	}
	int status = status_of(child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	sweep(region);
	CHECK(sum_of(region) == 0);
}

static void what_was_held_before_exec_is_given_back(void)
{
	struct hetero_region *region = new_region();
	int replaced[2];
	char byte;
	CHECK(pipe2(replaced, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		CHECK(hetero_memory_reserve(region, 0, LIMIT));
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	close(replaced[1]);
	CHECK(read(replaced[0], &byte, 1) == 0); /* closed by exec */
	sweep(region);
	CHECK(sum_of(region) == 0 && taken(region) == 0);
	kill_and_wait(child);
	close(replaced[0]);
}

/* The kernel marks a claim a moment before the last thread of a killed process stands still. */
static void who_was_taken_for_dead_changes_nothing_any_more(void)
{
	struct hetero_region *region = new_region();
	pid_t child = fork();
	if (child == 0) {
		CHECK(hetero_memory_reserve(region, 0, 100));
		atomic_fetch_or(&hetero_slot_join(region)->alive.word, FUTEX_OWNER_DIED);
		sweep(region);
		CHECK(sum_of(region) == 0);
		CHECK(!hetero_memory_reserve(region, 0, 10));
		CHECK(!hetero_memory_reserve(region, 1, 10));
		hetero_memory_release(region, 0, 100);
		CHECK(sum_of(region) == 0 && hetero_ledger_held(region, 0, 0) == 0);
		_exit(checks_failed != 0);
	}
	CHECK(status_of(child) == 0);
	CHECK(hetero_memory_used(region, 0) == 0);
}

static void joins_with_drawn_time(struct hetero_region *region, int64_t drawn)
{
	pid_t child = fork();
	if (child == 0) {
		struct hetero_region_slot *slot = hetero_slot_join(region);
		CHECK(slot != NULL);
		if (slot)
			atomic_store(&slot->drawn_ns[0], drawn);
		_exit(checks_failed != 0);
	}
	CHECK(status_of(child) == 0);
	sweep(region);
}

static void time_that_the_dead_had_drawn_and_not_used_goes_back(void)
{
	struct hetero_region *region = new_region();
	joins_with_drawn_time(region, 500);
	CHECK(atomic_load(&region->devices[0].budget_ns) == 500);
	joins_with_drawn_time(region, -300);
	CHECK(atomic_load(&region->devices[0].budget_ns) == 500);
}

static void *join_at_once(void *region)
{
	return hetero_slot_join(region);
}

static void threads_that_join_at_once_share_a_slot(void)
{
	struct hetero_region *region = new_region();
	pid_t child = fork();
	if (child == 0) {
		pthread_t threads[8];
		void *slots[8];
		for (int i = 0; i < 8; i++)
			CHECK(pthread_create(&threads[i], NULL, join_at_once, region) == 0);
		for (int i = 0; i < 8; i++)
			CHECK(pthread_join(threads[i], &slots[i]) == 0 && slots[i] && slots[i] == slots[0]);
		CHECK(taken(region) == 1);
		_exit(checks_failed != 0);
	}
	CHECK(status_of(child) == 0);
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
	handled += number == SIGUSR1;
}

/* A signal to the process goes to any thread that does not block it; ours would have no stack for a handler. */
static void signals_stay_the_programs(void)
{
	struct hetero_region *region = new_region();
	pid_t child = fork();
	if (child == 0) {
		sigset_t one, before, after, pending;
		signal(SIGUSR1, handle);
		sigemptyset(&one);
		sigaddset(&one, SIGUSR1);
		sigprocmask(SIG_BLOCK, &one, &before);
		CHECK(hetero_slot_join(region) != NULL);
		sigprocmask(SIG_BLOCK, NULL, &after);
		CHECK(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGUSR2) == 0);
		kill(getpid(), SIGUSR1);
		end_later(NULL);
		CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1 && handled == 0);
		sigprocmask(SIG_SETMASK, &before, NULL);
		CHECK(handled == 1);
		_exit(checks_failed != 0);
	}
	CHECK(status_of(child) == 0);
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-lives-%d.region", (int)getpid());
	CHECK(pipe(told) == 0);
	a_thousand_processes_share_a_slice();
	a_process_whose_threads_have_all_ended_is_over();
	what_was_held_before_exec_is_given_back();
	who_was_taken_for_dead_changes_nothing_any_more();
	time_that_the_dead_had_drawn_and_not_used_goes_back();
	threads_that_join_at_once_share_a_slot();
	signals_stay_the_programs();
	unlink(path);
	return TEST_RESULT();
}
