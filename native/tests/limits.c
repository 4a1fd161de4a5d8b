/* The limits file, whose limits those of a region are, and changes while a slice runs. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define MIB (1024ull * 1024ull)

static char file[64], path[64];
static struct hetero_limits limits;

static void write_bytes(const char *text, size_t size, mode_t mode)
{
	unlink(file);
	int made = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(made >= 0 && write(made, text, size) == (ssize_t)size);
	CHECK(fchmod(made, mode) == 0);
	close(made);
}

static bool read_text(const char *text)
{
	write_bytes(text, strlen(text), 0444);
	return hetero_limits_read(file, geteuid(), &limits);
}

static void everything_that_can_be_said_is_read(void)
{
	CHECK(read_text("# who may have what\n\n  slice = team-a/0  \nregion=/run/slice/region\n"
			"memory = 2g\nmemory_1 = 512m\ncores_0 = 30\nuuid_0 = GPU-1\nuuid_1=GPU-2\r\n"
			"policy_0 = conserve\npriority_0 = 0\noversubscribe = no\n\toversubscribe_1 = yes"));
	CHECK(limits.any && limits.said && limits.from_file && !limits.malformed);
	CHECK(strcmp(limits.slice_id, "team-a/0") == 0 && strcmp(limits.region, "/run/slice/region") == 0);
	CHECK(limits.memory[0] == 2048 * MIB && limits.memory[1] == 512 * MIB && limits.memory[15] == 2048 * MIB);
	CHECK(limits.cores[0] == 30 && limits.cores[1] == 0);
	CHECK(strcmp(limits.uuid[0], "GPU-1") == 0 && strcmp(limits.uuid[1], "GPU-2") == 0 && !*limits.uuid[2]);
	CHECK(limits.policy[0] == HETERO_POLICY_CONSERVE && limits.policy[1] == HETERO_POLICY_CAP);
	CHECK(limits.priority[0] == 0 && limits.priority[1] == 1);
	CHECK(limits.flags[0] == 0 && limits.flags[1] == HETERO_DEVICE_OVERSUBSCRIBE);
}

static void one_for_all_devices_yields_to_one_for_a_device_in_any_order(void)
{
	CHECK(read_text("memory_1 = 1m\nmemory = 2m\nmemory_0 = 0\n") && !limits.malformed);
	CHECK(limits.memory[0] == 0 && limits.memory[1] == MIB && limits.memory[2] == 2 * MIB);
}

static void a_file_that_says_nothing_is_no_slice(void)
{
	CHECK(read_text("# nothing\n") && !limits.any && !limits.malformed);
	CHECK(read_text("") && !limits.any && !limits.malformed);
}

static void what_cannot_be_read_gives_no_memory(void)
{
	const char *const texts[] = {
		"memory = 2x\n", "memory = -1\n", "memory =\n", "memory\n", "= 2g\n", "memory: 2g\n", "cores = 101\n",
		"cores = 3.5\n", "memori = 2g\n", "memory_16 = 2g\n", "memory_ = 2g\n", "memory_01 = 2g\n",
		"memory_x = 1\n", "memory_-1 = 1\n", "memory = 1g\nmemory = 2g\n", "uuid_0 = a\nuuid_0 = a\n",
		"uuid = GPU-1\n", "uuid_0 =\n",
		"policy = best\n", "priority = high\n", "priority = 3%\n", "oversubscribe = maybe\n", "region = here\n",
		"slice = a\nslice = b\n", "memory = 2g # so much\n", "memory 0 = 1\n",
		"memory_99999999999999999999 = 1\n",
		"uuid_0 = 0123456789012345678901234567890123456789012345678901234567890123\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		CHECK(read_text(texts[i]) && limits.malformed && limits.any);
		if (!limits.malformed)
			fprintf(stderr, "taken: %s", texts[i]);
	}
	write_bytes("memory = 1g\n\0", 13, 0444);
	CHECK(hetero_limits_read(file, geteuid(), &limits) && limits.malformed);
}

static void a_file_that_others_could_write_gives_no_memory(void)
{
	write_bytes("memory = 1g\n", 12, 0464);
	CHECK(hetero_limits_read(file, geteuid(), &limits) && limits.malformed);
	write_bytes("memory = 1g\n", 12, 0446);
	CHECK(hetero_limits_read(file, geteuid(), &limits) && limits.malformed);
	write_bytes("memory = 1g\n", 12, 0444);
	CHECK(hetero_limits_read(file, geteuid() + 1, &limits) && limits.malformed);
	CHECK(hetero_limits_read("/tmp", 0, &limits) && limits.malformed);
	CHECK(hetero_limits_read(file, geteuid(), &limits) && !limits.malformed);
}

static void a_file_that_is_too_long_gives_no_memory(void)
{
	static char text[70000];
	memset(text, '\n', sizeof text);
	write_bytes(text, sizeof text, 0444);
	CHECK(hetero_limits_read(file, geteuid(), &limits) && limits.malformed);
}

static void no_file_is_no_limit(void)
{
	CHECK(!hetero_limits_read("/nonexistent/limits", 0, &limits));
	CHECK(!hetero_limits_read("/dev/null/limits", 0, &limits));
}

/* Whose limits a region has */

static struct hetero_region *opened_with(uint64_t memory, bool from_file)
{
	struct hetero_limits given = {.any = true, .said = memory > 0, .from_file = from_file, .memory = {memory}};
	return hetero_region_open(path, &given);
}

static uint64_t limit_after(uint64_t memory, bool from_file)
{
	struct hetero_region *region = opened_with(memory, from_file);
	return region ? atomic_load(&region->devices[0].memory_limit) : 0;
}

static void a_container_that_starts_anew_gets_its_new_limit(void)
{
	unlink(path);
	CHECK(limit_after(100, false) == 100);
	CHECK(limit_after(200, false) == 200);
	CHECK(limit_after(50, false) == 50);
	CHECK(limit_after(0, false) == 50); /* who says nothing does not mean that there is no limit */
}

static void a_slice_in_which_somebody_lives_keeps_its_limit(void)
{
	int started[2], status;
	char byte;
	unlink(path);
	CHECK(pipe(started) == 0);
	pid_t child = fork();
	if (child == 0) {
		close(started[1]);
		struct hetero_region *region = opened_with(100, false);
		CHECK(region && hetero_memory_reserve(region, 0, 10));
		CHECK(limit_after(200, false) == 100);
		CHECK(limit_after(300, true) == 300); /* but not against the limits file */
		CHECK(limit_after(400, false) == 300);
		_exit(checks_failed != 0);
	}
	close(started[1]);
	CHECK(read(started[0], &byte, 1) == 0);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK(limit_after(500, false) == 300); /* it is the file's now */
	CHECK(limit_after(600, true) == 600);
}

static void a_region_that_others_made_is_obeyed(void)
{
	unlink(path);
	struct hetero_region *region = opened_with(100, false);
	CHECK(region != NULL);
	if (region)
		atomic_store(&region->flags, 0);
	CHECK(limit_after(200, false) == 100);
}

/* Changes while it runs */

static void a_lower_limit_takes_nothing_away_and_refuses_growth(struct hetero_region *region)
{
	struct hetero_new_limits fewer = {.kinds = HETERO_LIMIT_MEMORY, .memory = 60};
	uint32_t before = atomic_load(&region->limits_changed);
	CHECK(hetero_memory_reserve(region, 0, 80));
	CHECK(hetero_limits_change(region, 0, &fewer));
	CHECK(atomic_load(&region->limits_changed) == before + 1);
	CHECK(hetero_memory_used(region, 0) == 80);
	CHECK(!hetero_memory_reserve(region, 0, 1));
	hetero_memory_release(region, 0, 30);
	CHECK(hetero_memory_reserve(region, 0, 10) && !hetero_memory_reserve(region, 0, 1));
	hetero_memory_release(region, 0, 60);
}

static void only_what_is_named_is_changed(struct hetero_region *region)
{
	struct hetero_region_device *device = &region->devices[3];
	struct hetero_new_limits some = {.kinds = HETERO_LIMIT_CORES | HETERO_LIMIT_LENT, .memory = 7, .cores = 40,
					 .policy = 1, .priority = 7, .lent_percent = 5, .lent_until_ns = 9};
	CHECK(hetero_limits_change(region, 3, &some));
	CHECK(atomic_load(&device->core_limit) == 40 && atomic_load(&device->lent_percent) == 5);
	CHECK(atomic_load(&device->lent_until_ns) == 9 && atomic_load(&device->memory_limit) == 0);
	CHECK(atomic_load(&device->policy) == 0 && atomic_load(&device->priority) != 7);
	some.kinds = HETERO_LIMIT_POLICY | HETERO_LIMIT_PRIORITY;
	CHECK(hetero_limits_change(region, 3, &some));
	CHECK(atomic_load(&device->policy) == 1 && atomic_load(&device->priority) == 7);
	CHECK(!hetero_limits_change(region, HETERO_DEVICES, &some));
	some = (struct hetero_new_limits){.kinds = HETERO_LIMIT_YIELD, .yield_percent = 1, .yield_until_ns = 9};
	CHECK(atomic_load(&device->yield_percent) == 0);
	CHECK(hetero_limits_change(region, 3, &some));
	CHECK(atomic_load(&device->yield_percent) == 1 && atomic_load(&device->yield_until_ns) == 9);
	CHECK(atomic_load(&device->core_limit) == 40);
}

int main(void)
{
	snprintf(file, sizeof file, "/tmp/hetero-test-%d.limits", (int)getpid());
	snprintf(path, sizeof path, "/tmp/hetero-test-limits-%d.region", (int)getpid());
	hetero_log_set_level(0);
	everything_that_can_be_said_is_read();
	one_for_all_devices_yields_to_one_for_a_device_in_any_order();
	a_file_that_says_nothing_is_no_slice();
	what_cannot_be_read_gives_no_memory();
	a_file_that_others_could_write_gives_no_memory();
	a_file_that_is_too_long_gives_no_memory();
	no_file_is_no_limit();
	a_container_that_starts_anew_gets_its_new_limit();
	a_slice_in_which_somebody_lives_keeps_its_limit();
	a_region_that_others_made_is_obeyed();
	unlink(path);
	struct hetero_region *region = opened_with(100, false);
	CHECK(region != NULL);
	if (region) {
		a_lower_limit_takes_nothing_away_and_refuses_growth(region);
		only_what_is_named_is_changed(region);
	}
	unlink(file);
	unlink(path);
	return TEST_RESULT();
}
