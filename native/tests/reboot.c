/* A region that outlasted the machine's crash: nobody marked the claims of its processes. */
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "reboot.h"
#include "testhelper.h"

#define LIMIT 4096u
#define SOMEBODY 4194303u /* a thread that an earlier kernel ran */

static char path[64];

static struct hetero_region *open_region(void)
{
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	return hetero_region_open(path, &limits);
}

static struct hetero_region *new_region(void)
{
	unlink(path);
	return open_region();
}

static void hold_all(struct hetero_region *region)
{
	pid_t child = fork();
	if (child == 0)
		_exit(hetero_memory_reserve(region, 0, LIMIT) ? 0 : 1);
	int status = -1;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

/* What the file says when the machine stopped in the middle: a claim and a lock that nobody marked, and a later clock. */
static struct hetero_region *crashed(uint64_t joined_ns, uint64_t kernel)
{
	struct hetero_region *region = new_region();
	hold_all(region);
	atomic_store(&region->slots[0].alive.word, SOMEBODY);
	region->slots[0].start_ns = joined_ns;
	atomic_store(&region->lock.word, SOMEBODY);
	atomic_store(&region->devices[0].refilled_ns, UINT64_MAX / 2);
	atomic_store(&region->kernel, kernel);
	return region;
}

static uint64_t joined_now(void)
{
	struct hetero_region *region = new_region();
	hold_all(region);
	return region->slots[0].start_ns;
}

static void what_the_processes_of_an_earlier_kernel_held_comes_back(void)
{
	CHECK(crashed(1, hetero_kernel() + 2));
	struct hetero_region *region = open_region();
	CHECK(region && hetero_memory_reserve(region, 0, LIMIT));
	hetero_memory_release(region, 0, LIMIT);
	CHECK(region && atomic_load(&region->devices[0].refilled_ns) == 0);
	CHECK(region && atomic_load(&region->kernel) == hetero_kernel());
}

/* Containers may be told different identities of the same kernel, and a clock may be set: neither alone ends anybody. */
static void who_may_live_keeps_what_is_his(void)
{
	uint64_t now = joined_now(), kernel = hetero_kernel();
	const struct {
		uint64_t joined_ns, kernel;
	} cases[] = {{1, kernel}, {now, kernel + 2}, {1, 0}};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK(crashed(cases[i].joined_ns, cases[i].kernel));
		struct hetero_region *region = open_region();
		CHECK(region && atomic_load(&region->slots[0].alive.word) == SOMEBODY);
		CHECK(region && atomic_load(&region->lock.word) == SOMEBODY);
		CHECK(region && atomic_load(&region->devices[0].memory.bytes) == LIMIT);
	}
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-reboot-%d", (int)getpid());
	CHECK(hetero_kernel() != 0);
	who_may_live_keeps_what_is_his();
	what_the_processes_of_an_earlier_kernel_held_comes_back();
	unlink(path);
	return TEST_RESULT();
}
