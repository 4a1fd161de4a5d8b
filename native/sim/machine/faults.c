/* Reading the file of faults, and finding the line that fits a call. */
#include "faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "stamp.h"

#define LINES 64

enum action { FAIL, STALL, HANG, DIE, DIE_AFTER, GARBAGE, ACTIONS };

struct line {
	char call[96];
	unsigned long nth, calls; /* nth 0: every one */
	enum action action;
	int argument;
};

int sim_faults_absent;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[LINES];
static int count;
static struct sim_stamp known;

static bool number(const char *text, unsigned long most, unsigned long *value)
{
	char *end;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return !errno && end != text && !*end && text[0] != '-' && *value <= most;
}

static bool read_action(const char *name, const char *argument, struct line *line)
{
	static const char *const names[ACTIONS] = {[FAIL] = "fail", [STALL] = "stall", [HANG] = "hang",
						   [DIE] = "die", [DIE_AFTER] = "die-after", [GARBAGE] = "garbage"};
	unsigned long value = 0;
	for (int action = FAIL; action < ACTIONS; action++) {
		if (strcmp(names[action], name) != 0)
			continue;
		bool takes_one = action == FAIL || action == STALL;
		line->action = (enum action)action;
		bool good = takes_one ? number(argument, 1000000, &value) : !*argument;
		line->argument = (int)value;
		return good;
	}
	return false;
}

static bool read_line(const char *text, struct line *line)
{
	char nth[32], action[16], argument[32] = "", rest[2];
	*line = (struct line){0};
	int read = sscanf(text, "%95s %31s %15s %31s %1s", line->call, nth, action, argument, rest);
	if (read != 3 && read != 4)
		return false;
	bool every = strcmp(nth, "*") == 0;
	if (!every && (!number(nth, 1ul << 31, &line->nth) || !line->nth))
		return false;
	return read_action(action, argument, line);
}

static bool read_lines(FILE *file, int *place)
{
	char text[256];
	for (*place = 1; fgets(text, sizeof text, file); ++*place) {
		const char *first = text + strspn(text, " \t");
		if (*first == '#' || *first == '\n' || !*first)
			continue;
		if (count == LINES || !read_line(first, &lines[count]))
			return false;
		count++;
	}
	return true;
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	int place;
	count = 0;
	if (!file)
		return;
	if (!read_lines(file, &place)) {
		fprintf(stderr, "hetero-sim: %s:%d: expected CALL N fail CODE, stall MS, hang, die, die-after or garbage\n",
			path, place);
		count = 0;
	}
	fclose(file);
}

/* A child counts for itself. */
static void begin_anew(void)
{
	pthread_mutex_init(&lock, NULL);
	known = (struct sim_stamp){0};
}

/* With the lock held. */
static void follow_file(void)
{
	static bool looked;
	char path[4096];
	const char *directory = getenv("HETERO_SIM_DIR");
	snprintf(path, sizeof path, "%s/faults", directory ? directory : "");
	struct sim_stamp latest = directory ? sim_stamp_of(path) : (struct sim_stamp){0};
	if (!looked && latest.inode)
		pthread_atfork(NULL, NULL, begin_anew);
	if (!looked && !latest.inode)
		__atomic_store_n(&sim_faults_absent, 1, __ATOMIC_RELAXED);
	looked = true;
	if (!sim_stamp_same(&latest, &known))
		read_file(path);
	known = latest;
}

/* Every line counts every call, so that one line's fault does not put off another's. */
static const struct line *count_call(const char *call)
{
	const struct line *found = NULL;
	for (int i = 0; i < count; i++) {
		if (strcmp(lines[i].call, call) != 0 && strcmp(lines[i].call, "*") != 0)
			continue;
		lines[i].calls++;
		if (!found && (!lines[i].nth || lines[i].nth == lines[i].calls))
			found = &lines[i];
	}
	return found;
}

_Noreturn void sim_die(void)
{
	for (;;) {
		kill(getpid(), SIGKILL);
		pause();
	}
}

struct sim_fault sim_fault_of(const char *call)
{
	struct line line = {0};
	pthread_mutex_lock(&lock);
	follow_file();
	const struct line *found = count_call(call);
	if (found)
		line = *found;
	pthread_mutex_unlock(&lock);
	if (!found)
		return (struct sim_fault){0};
	if (line.action == DIE)
		sim_die();
	if (line.action == STALL)
		sim_sleep_until(sim_now() + (uint64_t)line.argument * 1000000u);
	while (line.action == HANG)
		pause();
	return (struct sim_fault){.fails = line.action == FAIL, .dies = line.action == DIE_AFTER,
				  .garbage = line.action == GARBAGE, .code = line.argument};
}
