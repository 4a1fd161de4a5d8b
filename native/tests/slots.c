/* Slots: one for each living process, free again when it is dead, refused when none is left. */
#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

static char path[64];

static unsigned taken(const struct hetero_region *region)
{
	unsigned count = 0;
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		count += atomic_load(&region->slots[i].state) == HETERO_SLOT_TAKEN;
	return count;
}

/* The exit code of a child that runs `body`. */
static int in_child(int (*body)(struct hetero_region *), struct hetero_region *region)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		_exit(body(region));
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int joins(struct hetero_region *region)
{
	return hetero_slot_join(region) ? 0 : 1;
}

static int introduces_itself(struct hetero_region *region)
{
	const struct hetero_region_slot *slot = hetero_slot_join(region);
	bool known = slot && slot->pid == (uint32_t)getpid() && slot->start_ns;
	return known && strcmp(slot->name, "test_slots") == 0 && hetero_slot_join(region) == slot ? 0 : 1;
}

static void a_process_has_one_slot_that_says_who_it_is(struct hetero_region *region)
{
	CHECK(in_child(introduces_itself, region) == 0);
}

/* Each ends with its slot taken: only looking for the dead makes room. */
static void more_processes_than_slots_can_follow_each_other(struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS + 8; i++)
		CHECK(in_child(joins, region) == 0);
	CHECK(taken(region) <= HETERO_SLOTS);
}

static int reserves_and_dies(struct hetero_region *region)
{
	return hetero_memory_reserve(region, 0, 4096) ? 0 : 1;
}

static void sweeping_frees_the_dead_and_what_they_held(struct hetero_region *region)
{
	CHECK(in_child(reserves_and_dies, region) == 0);
	CHECK(atomic_load(&region->devices[0].memory.bytes) == 4096);
	hetero_region_lock(region);
	CHECK(hetero_slots_sweep(region) > 0);
	CHECK(hetero_slots_sweep(region) == 0);
	hetero_region_unlock(region);
	CHECK(taken(region) == 0);
	CHECK(hetero_memory_used(region, 0) == 0);
}

static int is_refused(struct hetero_region *region)
{
	hetero_log_set_level(0);
	return !hetero_slot_join(region) && !hetero_memory_reserve(region, 0, 1) ? 0 : 1;
}

static unsigned threads_of_this_process(void)
{
	char line[128];
	unsigned threads = 0;
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		sscanf(line, "Threads: %u", &threads);
	if (status)
		fclose(status);
	return threads;
}

/* And needs no more threads for it, however often it has asked. */
static int is_refused_until_another_ends(struct hetero_region *region)
{
	hetero_log_set_level(0);
	CHECK(!hetero_memory_reserve(region, 0, 1));
	unsigned threads = threads_of_this_process();
	for (int i = 0; i < 5; i++)
		CHECK(!hetero_memory_reserve(region, 0, 1));
	atomic_store(&region->slots[7].alive.word, FUTEX_OWNER_DIED);
	CHECK(hetero_memory_reserve(region, 0, 1));
	CHECK(threads_of_this_process() == threads);
	return checks_failed;
}

/* As many living processes as there are slots, as far as their claims tell. */
static void a_full_slice_gives_no_memory_until_somebody_dies(struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS; i++) {
		atomic_store(&region->slots[i].alive.word, 1);
		atomic_store(&region->slots[i].state, HETERO_SLOT_TAKEN);
	}
	atomic_store(&region->slots_used, HETERO_SLOTS);
	CHECK(in_child(is_refused, region) == 0);
	CHECK(in_child(is_refused_until_another_ends, region) == 0);
	atomic_store(&region->slots[HETERO_SLOTS / 2].alive.word, FUTEX_OWNER_DIED);
	CHECK(in_child(joins, region) == 0);
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		if (i != HETERO_SLOTS / 2)
			atomic_store(&region->slots[i].alive.word, FUTEX_OWNER_DIED);
}

static int tells_of_kinds(struct hetero_region *region)
{
	const struct hetero_region_slot *slot = hetero_slot_join(region);
	if (!slot)
		return 1;
	hetero_memory_tell(region, 2, HETERO_MEMORY_CONTEXT, 4096);
	hetero_memory_tell(region, 2, HETERO_MEMORY_MODULE, 512);
	hetero_memory_tell(region, 2, HETERO_MEMORY_MODULE, -256);
	hetero_memory_tell(region, HETERO_DEVICES, HETERO_MEMORY_MODULE, 1); /* no device of the slice */
	CHECK(atomic_load(&slot->context_bytes[2]) == 4096 && atomic_load(&slot->module_bytes[2]) == 256);
	return checks_failed;
}

static void what_the_dead_held_is_of_no_kind(struct hetero_region *region)
{
	uint64_t left = 0;
	CHECK(in_child(tells_of_kinds, region) == 0);
	hetero_region_lock(region);
	CHECK(hetero_slots_sweep(region) > 0);
	hetero_region_unlock(region);
	for (unsigned i = 0; i < HETERO_SLOTS; i++)
		left += atomic_load(&region->slots[i].context_bytes[2]) + atomic_load(&region->slots[i].module_bytes[2]);
	CHECK(left == 0);
}

static int takes_the_dead_ones_slot(struct hetero_region *region)
{
	const struct hetero_region_slot *slot = hetero_slot_join(region);
	if (!slot)
		return 1;
	uint64_t held = hetero_ledger_held(region, (unsigned)(slot - region->slots), 0);
	uint64_t told = atomic_load(&slot->context_bytes[1]) + atomic_load(&slot->module_bytes[1]);
	return atomic_load(&slot->busy_ns[0]) == 0 && held == 0 && told == 0 ? 0 : 1;
}

static void a_slot_that_is_taken_again_starts_from_nothing(struct hetero_region *region)
{
	for (unsigned i = 0; i < HETERO_SLOTS; i++) {
		atomic_store(&region->slots[i].busy_ns[0], 7);
		atomic_store(&region->slots[i].context_bytes[1], 7);
		atomic_store(&region->slots[i].module_bytes[1], 7);
	}
	CHECK(in_child(takes_the_dead_ones_slot, region) == 0);
}

int main(void)
{
	const struct hetero_limits limits = {.any = true};
	snprintf(path, sizeof path, "/tmp/hetero-test-slots-%d.region", (int)getpid());
	struct hetero_region *region = hetero_region_open(path, &limits);
	CHECK(region != NULL);
	if (!region)
		return EXIT_FAILURE;
	a_process_has_one_slot_that_says_who_it_is(region);
	more_processes_than_slots_can_follow_each_other(region);
	sweeping_frees_the_dead_and_what_they_held(region);
	what_the_dead_held_is_of_no_kind(region);
	a_full_slice_gives_no_memory_until_somebody_dies(region);
	a_slot_that_is_taken_again_starts_from_nothing(region);
	unlink(path);
	return TEST_RESULT();
}
