/* Sizes and percentages: what is read, and that nothing malformed is. */
#include <string.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define MIB (1024ull * 1024ull)

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{"0", 0}, {"1", 1}, {"4096", 4096}, {"2g", 2048 * MIB}, {"2G", 2048 * MIB}, {"2gb", 2048 * MIB},
	{"2GiB", 2048 * MIB}, {"2 g", 2048 * MIB}, {"1.5g", 1536 * MIB}, {"0.5m", MIB / 2}, {"1t", 1024 * 1024 * MIB},
	{"010m", 10 * MIB}, {"2k", 2048}, {"7b", 7}, {" 64m ", 64 * MIB},
};

static const char *const no_sizes[] = {"", "g", "-1", "-2g", "2x", "2gg", "2g5", "1.2.3g", "0x10", "1e3", "nan",
				       "99999999999999999999999g", "20000000t"};

static void sizes_are_read_in_powers_of_1024(void)
{
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t bytes = 12345;
		CHECK(hetero_parse_size(sizes[i].text, &bytes));
		CHECK(bytes == sizes[i].bytes);
	}
}

static void what_is_no_size_is_refused(void)
{
	for (size_t i = 0; i < sizeof no_sizes / sizeof *no_sizes; i++) {
		uint64_t bytes;
		CHECK(!hetero_parse_size(no_sizes[i], &bytes));
	}
}

static void percentages_are_whole_and_at_most_100(void)
{
	uint32_t percent = 0;
	CHECK(hetero_parse_percent("30", &percent) && percent == 30);
	CHECK(hetero_parse_percent("100%", &percent) && percent == 100);
	CHECK(!hetero_parse_percent("101", &percent));
	CHECK(!hetero_parse_percent("-1", &percent));
	CHECK(!hetero_parse_percent("3.5", &percent));
	CHECK(!hetero_parse_percent("", &percent));
}

static const struct hetero_option_names names = {
	.memory = "T_MEMORY",
	.cores = "T_CORES",
	.policy = "T_POLICY",
	.priority = "T_PRIORITY",
	.oversubscribe = "T_OVERSUBSCRIBE",
	.compute = "T_COMPUTE",
	.region = "T_REGION",
	.log = "T_LOG",
};

static void one_device_overrides_all(void)
{
	struct hetero_limits limits;
	setenv("T_MEMORY", "2g", 1);
	setenv("T_MEMORY_1", "512m", 1);
	hetero_options_read(&names, &limits);
	CHECK(limits.any && !limits.malformed);
	CHECK(limits.memory[0] == 2048 * MIB && limits.memory[1] == 512 * MIB && limits.memory[2] == 2048 * MIB);
}

static void a_malformed_memory_limit_closes(void)
{
	struct hetero_limits limits;
	setenv("T_LOG", "0", 1);
	setenv("T_MEMORY", "-2g", 1);
	hetero_options_read(&names, &limits);
	CHECK(limits.any && limits.malformed);
}

static void what_else_is_said_of_a_device_is_read(void)
{
	struct hetero_limits limits;
	setenv("T_MEMORY", "1g", 1);
	setenv("T_POLICY", "conserve", 1);
	setenv("T_PRIORITY_2", "0", 1);
	setenv("T_OVERSUBSCRIBE_1", "TRUE", 1);
	hetero_options_read(&names, &limits);
	CHECK(limits.said && !limits.from_file && !limits.malformed);
	CHECK(limits.policy[0] == HETERO_POLICY_CONSERVE && limits.policy[15] == HETERO_POLICY_CONSERVE);
	CHECK(limits.priority[0] == 1 && limits.priority[2] == 0);
	CHECK(limits.flags[0] == 0 && limits.flags[1] == HETERO_DEVICE_OVERSUBSCRIBE);
	unsetenv("T_POLICY");
	unsetenv("T_PRIORITY_2");
	unsetenv("T_OVERSUBSCRIBE_1");
}

/* Compute fails open, and what is unclear never widens memory. */
static void what_is_malformed_beside_memory_is_as_if_unsaid(void)
{
	struct hetero_limits limits;
	setenv("T_CORES", "30x", 1);
	setenv("T_POLICY", "none", 1);
	setenv("T_PRIORITY", "-1", 1);
	setenv("T_OVERSUBSCRIBE", "perhaps", 1);
	setenv("T_COMPUTE", "never", 1);
	hetero_options_read(&names, &limits);
	CHECK(limits.any && !limits.malformed);
	CHECK(limits.cores[0] == 0 && limits.policy[0] == HETERO_POLICY_CAP);
	CHECK(limits.priority[0] == 1 && limits.flags[0] == 0);
	unsetenv("T_POLICY");
	unsetenv("T_PRIORITY");
	unsetenv("T_OVERSUBSCRIBE");
	unsetenv("T_COMPUTE");
}

static uint32_t cores_with(const char *compute)
{
	struct hetero_limits limits;
	setenv("T_CORES", "30", 1);
	setenv("T_COMPUTE", compute, 1);
	hetero_options_read(&names, &limits);
	unsetenv("T_COMPUTE");
	unsetenv("T_CORES");
	return limits.cores[0];
}

static void compute_is_limited_unless_that_is_disabled(void)
{
	CHECK(cores_with("default") == 30);
	CHECK(cores_with("force") == 30);
	CHECK(cores_with("FORCE") == 30);
	CHECK(cores_with("") == 30);
	CHECK(cores_with("disable") == 0);
}

static void a_region_whose_path_is_too_long_gives_no_memory(void)
{
	static char path[5000];
	struct hetero_limits limits;
	memset(path, 'x', sizeof path - 1);
	setenv("T_REGION", path, 1);
	hetero_options_read(&names, &limits);
	CHECK(limits.malformed && !*limits.region);
	unsetenv("T_REGION");
}

static void a_complaint_is_one_line_whatever_was_written(void)
{
	struct hetero_limits limits;
	char said[4096] = "";
	int ends[2], shown = dup(STDERR_FILENO);
	CHECK(shown >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	setenv("T_LOG", "1", 1);
	setenv("T_MEMORY", "2g\nhetero: all is well\r\x1b[2J", 1);
	hetero_options_read(&names, &limits);
	dup2(shown, STDERR_FILENO);
	close(ends[1]);
	CHECK(read(ends[0], said, sizeof said - 1) > 0);
	CHECK(strcmp(said, "hetero: T_MEMORY='2g?hetero: all is well??[2J' is not a size such as 512m or 2g; "
			   "no memory is given until it is\n") == 0);
	close(ends[0]);
	close(shown);
	setenv("T_LOG", "0", 1);
	setenv("T_MEMORY", "1g", 1);
}

static void no_limit_is_no_slice(void)
{
	struct hetero_limits limits;
	unsetenv("T_MEMORY_1");
	setenv("T_MEMORY", "0", 1);
	setenv("T_CORES", "100", 1);
	hetero_options_read(&names, &limits);
	CHECK(!limits.any);
}

int main(void)
{
	sizes_are_read_in_powers_of_1024();
	what_is_no_size_is_refused();
	percentages_are_whole_and_at_most_100();
	one_device_overrides_all();
	a_malformed_memory_limit_closes();
	what_else_is_said_of_a_device_is_read();
	what_is_malformed_beside_memory_is_as_if_unsaid();
	compute_is_limited_unless_that_is_disabled();
	a_region_whose_path_is_too_long_gives_no_memory();
	a_complaint_is_one_line_whatever_was_written();
	no_limit_is_no_slice();
	return TEST_RESULT();
}
