/*
 * Death at every named point of the ledger's protocol: in reserving, in giving back, in joining, and in sweeping up
 * after another that is dead. Whatever the moment, the sum is what the slots hold together, before anybody has looked
 * for the dead as well as after, and a newcomer can have all the rest at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define LIMIT 1000u
#define OWN 50u      /* what this process, which lives, holds */
#define VICTIMS 100u /* what somebody held who is already dead when the others come */
#define MOST_POINTS 400

static const char *const names[] = {"ledger.announced", "ledger.noted",   "ledger.exchanged",
				    "slots.claimed",    "slots.returned", "slots.emptied"};
#define NAMES (sizeof names / sizeof *names)

static char path[64];

/* Shared with the children: at which point from now on the process is to stop, and which were passed. */
static struct plan {
	int left, signal_number;
	unsigned seen[NAMES];
} *plan;

void hetero_point(const char *name)
{
	for (size_t i = 0; i < NAMES; i++)
		plan->seen[i] += strcmp(name, names[i]) == 0;
	if (plan->left && !--plan->left)
		kill(getpid(), plan->signal_number);
}

static struct hetero_region *new_region(void)
{
	struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	unlink(path);
	return hetero_region_open(path, &limits);
}

static uint64_t held_together(const struct hetero_region *region)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < atomic_load(&region->slots_used); slot++)
		sum += hetero_ledger_held(region, slot, 0);
	return sum;
}

static uint64_t sum_of(const struct hetero_region *region)
{
	return atomic_load(&region->devices[0].memory.bytes);
}

static void reserves(struct hetero_region *region)
{
	_exit(!hetero_memory_reserve(region, 0, 300));
}

static void gives_back(struct hetero_region *region)
{
	int left = plan->left;
	plan->left = 0;
	bool reserved = hetero_memory_reserve(region, 0, 300);
	plan->left = left;
	hetero_memory_release(region, 0, 200);
	_exit(!reserved);
}

static void is_refused(struct hetero_region *region)
{
	_exit(hetero_memory_reserve(region, 0, LIMIT));
}

static void sweeps(struct hetero_region *region)
{
	bool locked = hetero_region_lock(region);
	hetero_slots_sweep(region);
	hetero_region_unlock(region);
	_exit(!locked);
}

/* How a child ended that runs `body` and gets the signal at its n-th point; 0 points: at none. */
static int child(struct hetero_region *region, void (*body)(struct hetero_region *), int points)
{
	int status = 0;
	*plan = (struct plan){.left = points, .signal_number = SIGKILL};
	pid_t pid = fork();
	if (pid == 0)
		body(region);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	plan->left = 0;
	return status;
}

static void leave_a_dead_one(struct hetero_region *region)
{
	plan->left = 0;
	if (!hetero_memory_reserve(region, 0, VICTIMS))
		_exit(1);
	_exit(0);
}

static void takes_all_the_rest(struct hetero_region *region)
{
	_exit(!hetero_memory_reserve(region, 0, LIMIT - OWN));
}

/* True when the body got as far as its n-th point. */
static bool dies_at(void (*body)(struct hetero_region *), int points)
{
	static unsigned passed[NAMES];
	struct hetero_region *region = new_region();
	pid_t pid = fork(); /* this process lives through all regions, so its part of each is played by a child */
	int status = 0;
	if (pid == 0) {
		CHECK(hetero_memory_reserve(region, 0, OWN));
		CHECK(child(region, leave_a_dead_one, 0) == 0);
		CHECK(sum_of(region) == OWN + VICTIMS);
		bool died = WIFSIGNALED(child(region, body, points));
		memcpy(passed, plan->seen, sizeof passed);
		CHECK(sum_of(region) == held_together(region));
		CHECK(sum_of(region) <= LIMIT);
		CHECK(child(region, takes_all_the_rest, 0) == 0);
		CHECK(hetero_memory_reserve(region, 0, LIMIT - OWN));
		CHECK(sum_of(region) == LIMIT && held_together(region) == LIMIT);
		memcpy(plan->seen, passed, sizeof passed);
		_exit(checks_failed ? 2 : died);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) < 2);
	munmap(region, sizeof *region);
	return WEXITSTATUS(status) == 1;
}

static void death_at_any_point_leaves_the_sum_right(void)
{
	void (*const bodies[])(struct hetero_region *) = {reserves, gives_back, is_refused, sweeps};
	unsigned seen[NAMES] = {0};
	for (size_t body = 0; body < sizeof bodies / sizeof *bodies; body++) {
		int points = 1;
		while (points < MOST_POINTS && dies_at(bodies[body], points))
			points++;
		CHECK(points > 3 && points < MOST_POINTS);
		for (size_t i = 0; i < NAMES; i++)
			seen[i] += plan->seen[i];
	}
	for (size_t i = 0; i < NAMES; i++)
		CHECK(seen[i] > 0); /* a point that nobody passes is not tested */
}

/* The other goes on, or is killed, after this process has changed the sum in between. */
static bool overtaken_at(int points, int then)
{
	struct hetero_region *region = new_region();
	int status = 0, ended = -1;
	bool stopped = false;
	*plan = (struct plan){.left = points, .signal_number = SIGSTOP};
	pid_t pid = fork();
	if (pid == 0)
		gives_back(region);
	CHECK(pid > 0 && waitpid(pid, &status, WUNTRACED) == pid);
	plan->left = 0;
	if (WIFSTOPPED(status)) {
		stopped = true;
		pid_t other = fork();
		if (other == 0) {
			CHECK(hetero_memory_reserve(region, 0, OWN));
			CHECK(hetero_memory_reserve(region, 0, OWN));
			hetero_memory_release(region, 0, OWN);
			CHECK(sum_of(region) == held_together(region));
			kill(pid, then);
			_exit(checks_failed != 0);
		}
		CHECK(other > 0 && waitpid(pid, &status, 0) == pid && waitpid(other, &ended, 0) == other);
		CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
		CHECK(then == SIGCONT ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : WIFSIGNALED(status));
	}
	CHECK(sum_of(region) == held_together(region));
	CHECK(hetero_memory_used(region, 0) <= LIMIT);
	munmap(region, sizeof *region);
	return stopped;
}

static void who_is_overtaken_at_any_point_finishes_or_leaves_nothing(void)
{
	for (int points = 1; overtaken_at(points, SIGCONT) && points < MOST_POINTS; points++)
		CHECK(overtaken_at(points, SIGKILL));
}

/* A process that was stopped while it had the region's file to itself. */
static void a_file_that_is_not_given_back_gives_no_memory(void)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	CHECK(new_region());
	int file = open(path, O_RDWR | O_CLOEXEC);
	CHECK(file >= 0 && fcntl(file, F_OFD_SETLK, &whole) == 0);
	hetero_log_set_level(0);
	CHECK(!hetero_region_open(path, &limits));
	hetero_log_set_level(HETERO_ERROR);
	close(file);
	CHECK(hetero_region_open(path, &limits));
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-crash-%d.region", (int)getpid());
	plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	death_at_any_point_leaves_the_sum_right();
	who_is_overtaken_at_any_point_finishes_or_leaves_nothing();
	a_file_that_is_not_given_back_gives_no_memory();
	unlink(path);
	return TEST_RESULT();
}
