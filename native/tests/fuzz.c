/*
 * Damage: regions whose bytes are anything, limits files and variables that say anything. Whatever it is, opening,
 * sweeping and using it ends, and ends the process in no other way than it was to end. The same bytes in every run.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define REGIONS 150
#define FILES 4000
#define SECONDS 60 /* after which a child is taken to hang */

static char path[64], file[64];
static uint64_t state = 1;

void hetero_point(const char *name)
{
	(void)name;
}

static uint64_t random_bits(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 32 | state << 32;
}

static unsigned random_below(unsigned most)
{
	return (unsigned)(random_bits() % most);
}

/* Regions */

/* A sound region in which words are anything: everywhere, or among the devices and first slots, or in the header. */
static void damage(struct hetero_region *region, unsigned kind)
{
	const uint64_t ends[] = {sizeof(struct hetero_region), offsetof(struct hetero_region, slots) + 8192, 256};
	unsigned words = kind == 0 ? 20000 : kind == 1 ? 400 : 3;
	for (unsigned i = 0; i < words; i++) {
		uint64_t word = random_below(4) ? random_bits() : random_below(3);
		memcpy((char *)region + (random_bits() % ends[kind] & ~7ull), &word, sizeof word);
	}
}

/* The locks free and the header sound, so that what lies behind them is reached. */
static void mend(struct hetero_region *region)
{
	static const struct hetero_region sound = {
		.magic = HETERO_REGION_MAGIC,
		.layout_version = HETERO_REGION_VERSION,
		.size = sizeof sound,
		.device_count = HETERO_DEVICES,
		.slot_capacity = HETERO_SLOTS,
		.state = HETERO_REGION_READY,
	};
	memcpy(region, &sound, offsetof(struct hetero_region, devices));
	atomic_store(&region->slots_used, (uint32_t)random_bits());
}

static void write_region(int made, unsigned kind)
{
	static struct hetero_region region;
	memset(&region, 0, sizeof region);
	mend(&region);
	damage(&region, kind);
	if (kind != 2)
		mend(&region);
	size_t size = random_below(10) ? sizeof region : 5000;
	CHECK(write(made, &region, size) == (ssize_t)size);
}

static void use(const char *name)
{
	const struct hetero_limits limits = {.any = true, .said = true, .memory = {4096}, .from_file = random_below(2)};
	const struct hetero_new_limits other = {.kinds = HETERO_LIMIT_MEMORY, .memory = 100};
	struct hetero_region *region = hetero_region_open(name, &limits);
	for (unsigned device = 0; region && device <= HETERO_DEVICES; device++) {
		hetero_memory_used(region, device);
		if (hetero_memory_reserve(region, device, random_bits() >> random_below(64)))
			hetero_memory_release(region, device, random_bits());
	}
	if (region && hetero_region_lock(region)) {
		hetero_slots_sweep(region);
		hetero_region_unlock(region);
		hetero_limits_change(region, random_below(20), &other);
	}
	_exit(region ? 0 : 3);
}

static void damaged_regions_are_refused_or_used(void)
{
	unsigned used = 0, refused = 0;
	for (int i = 0; i < REGIONS; i++) {
		unlink(path);
		int status = -1, made = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		CHECK(made >= 0);
		write_region(made, (unsigned)i % 3);
		pid_t child = fork();
		if (child == 0) {
			alarm(SECONDS);
			use(path);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3));
		used += status == 0;
		refused += WIFEXITED(status) && WEXITSTATUS(status) == 3;
		close(made);
	}
	CHECK(used > REGIONS / 3 && refused > 0); /* both were tried */
}

/* 1 is no thread that will ever give it back; the tests' runtime waits for a moment only. */
static void a_lock_that_nobody_gives_back_is_waited_for_once(void)
{
	const struct hetero_limits none = {.any = true};
	unlink(path);
	struct hetero_region *region = hetero_region_open(path, &none);
	CHECK(region != NULL);
	if (!region)
		return;
	atomic_store(&region->lock.word, 1);
	CHECK(!hetero_region_lock(region));
	CHECK(!hetero_region_lock(region));
	CHECK(hetero_memory_used(region, 0) == 0);
	atomic_store(&region->lock.word, 0);
	CHECK(hetero_region_lock(region));
	hetero_region_unlock(region);
	CHECK(atomic_load(&region->lock.word) == 0);
}

/* Words */

static const char *const words[] = {
	"memory", "memory_0", "_", "_15", "_16", "cores", "uuid_3", "policy", "conserve", "cap", "priority",
	"oversubscribe",
	"yes", "slice", "region", "=", " = ", "=", "\n", "\n", "\n", "#", "/run/x", "2g", "512m",
	"1.5", "0", "100", "-1", "99999999999999999999",
	"i", "b", "%", "\r", "\t", "GPU-1", ".", "..", "\xff", "é",
};

static size_t fill(char *text, size_t size)
{
	size_t used = 0;
	for (unsigned parts = random_below(40); parts; parts--) {
		const char *word = words[random_below(sizeof words / sizeof *words)];
		size_t length = strlen(word);
		if (random_below(30) == 0) {
			text[used++] = (char)random_bits();
		} else if (used + length + 2 < size) {
			memcpy(text + used, word, length);
			used += length;
		}
	}
	text[used] = '\0';
	return used;
}

/* Lines that may stand in a limits file, and now and then anything. */
static size_t fill_lines(char *text, size_t size)
{
	static const char *const lines[] = {
		"memory = 2g\n", "memory_0=1.5g\n", "cores_1 = 30%\n", "# so\n", "\n", "uuid_0 = GPU-1\n",
		"slice = a b\n", "policy_3 = conserve\n", "priority = 2\n", "oversubscribe_15 = on\n", "region = /run/x\n", "cores = 50",
	};
	size_t used = 0;
	for (unsigned left = random_below(6); left; left--) {
		const char *line = lines[random_below(sizeof lines / sizeof *lines)];
		if (random_below(10) == 0)
			used += fill(text + used, (size - used) / 2);
		else if (used + strlen(line) < size)
			used += (size_t)sprintf(text + used, "%s", line);
	}
	return used;
}

/* Cut off where the buffer ends: a sanitizer sees who reads on. */
static char *exactly(const char *text, size_t size)
{
	char *copy = malloc(size + 1);
	if (!copy)
		exit(EXIT_FAILURE);
	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

static void sizes_and_percentages_that_are_anything(void)
{
	char text[512];
	for (int i = 0; i < FILES * 10; i++) {
		uint64_t bytes = 0;
		uint32_t percent = 0;
		char *copy = exactly(text, fill(text, sizeof text));
		hetero_parse_size(copy, &bytes);
		CHECK(!hetero_parse_percent(copy, &percent) || percent <= 100);
		free(copy);
	}
}

static bool in_range(const struct hetero_limits *limits)
{
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		if (limits->cores[device] > 100 || limits->policy[device] > 1 || limits->flags[device] > 1 ||
		    !memchr(limits->uuid[device], 0, sizeof limits->uuid[device]))
			return false;
	return memchr(limits->slice_id, 0, sizeof limits->slice_id) && memchr(limits->region, 0, sizeof limits->region);
}

static void limits_files_that_say_anything(void)
{
	static struct hetero_limits limits;
	char text[1024];
	unsigned taken = 0, malformed = 0;
	for (int i = 0; i < FILES; i++) {
		size_t size = random_below(4) ? fill_lines(text, sizeof text) : fill(text, sizeof text);
		unlink(file); /* a new file each time: some file systems write one that was cut at once */
		int made = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
		CHECK(made >= 0 && write(made, text, size) == (ssize_t)size);
		close(made);
		CHECK(hetero_limits_read(file, geteuid(), &limits) && in_range(&limits));
		malformed += limits.malformed;
		taken += !limits.malformed && limits.any;
	}
	CHECK(taken > 0 && malformed > 0); /* both were tried */
}

static void variables_that_say_anything(void)
{
	static struct hetero_limits limits;
	const struct hetero_option_names names = {"F_A", "F_B", "F_C", "F_D", "F_E", "F_F", "F_G", "F_H"};
	const char *const set[] = {"F_A", "F_A_3", "F_B", "F_B_0", "F_C", "F_D", "F_E", "F_F", "F_G"};
	char text[512];
	for (int i = 0; i < FILES; i++) {
		const char *name = set[random_below(sizeof set / sizeof *set)];
		fill(text, sizeof text);
		setenv(name, text, 1);
		hetero_options_read(&names, &limits);
		CHECK(in_range(&limits));
	}
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-fuzz-%d.region", (int)getpid());
	snprintf(file, sizeof file, "/tmp/hetero-test-fuzz-%d.limits", (int)getpid());
	hetero_log_set_level(0);
	damaged_regions_are_refused_or_used();
	a_lock_that_nobody_gives_back_is_waited_for_once();
	sizes_and_percentages_that_are_anything();
	limits_files_that_say_anything();
	variables_that_say_anything();
	unlink(path);
	unlink(file);
	return TEST_RESULT();
}
