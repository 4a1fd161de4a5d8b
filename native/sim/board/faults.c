/* Faults on demand: reading the file, and finding the line that fits a call. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../machine/stamp.h"
#include "inside.h"

#define LINES 64

enum action { FAIL, STALL, HANG, DIE, DIE_AFTER, GARBAGE, ACTIONS };

static const struct {
	const char *name;
	bool takes_number;
} actions[ACTIONS] = {
	[FAIL] = {"fail", true}, [STALL] = {"stall", true}, [HANG] = {"hang", false},
	[DIE] = {"die", false}, [DIE_AFTER] = {"die-after", false}, [GARBAGE] = {"garbage", false},
};

struct line {
	char call[96];
	unsigned long nth, calls; /* nth 0: every one */
	enum action action;
	int argument;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[LINES];
static int count;
static struct sim_stamp known;

/* A child counts for itself. */
static void begin_anew(void)
{
	pthread_mutex_init(&lock, NULL);
	known = (struct sim_stamp){0};
}

static __attribute__((constructor)) void survive_fork(void)
{
	pthread_atfork(NULL, NULL, begin_anew);
}

/* Negative as well: some vendors' codes are. */
static bool number(const char *text, long low, long high, long *value)
{
	char *end;
	errno = 0;
	*value = strtol(text, &end, 10);
	return !errno && end != text && !*end && *value >= low && *value <= high;
}

static bool read_action(const char *name, const char *argument, struct line *line)
{
	long value = 0;
	for (int action = 0; action < ACTIONS; action++) {
		if (strcmp(actions[action].name, name) != 0)
			continue;
		line->action = (enum action)action;
		bool good = actions[action].takes_number ? number(argument, -10000000, 10000000, &value) : !*argument;
		line->argument = (int)value;
		return good && (action != STALL || value >= 0);
	}
	return false;
}

static bool read_line(const char *text, struct line *line)
{
	char nth[32], action[16], argument[32] = "", rest[2];
	long value = 0;
	*line = (struct line){0};
	int read = sscanf(text, "%95s %31s %15s %31s %1s", line->call, nth, action, argument, rest);
	if (read != 3 && read != 4)
		return false;
	if (strcmp(nth, "*") != 0 && !number(nth, 1, 1l << 31, &value))
		return false;
	line->nth = (unsigned long)value;
	return read_action(action, argument, line);
}

static bool read_lines(FILE *file, int *place)
{
	char text[256];
	for (*place = 1; fgets(text, sizeof text, file); ++*place) {
		const char *first = board_trim(text);
		if (*first == '#' || !*first)
			continue;
		if (count == LINES || !read_line(first, &lines[count]))
			return false;
		count++;
	}
	return true;
}

/* With the lock held. */
static void follow_file(const char *path)
{
	struct sim_stamp latest = sim_stamp_of(path);
	if (sim_stamp_same(&latest, &known))
		return;
	known = latest;
	count = 0;
	FILE *file = fopen(path, "re");
	int place;
	if (!file)
		return;
	if (!read_lines(file, &place)) {
		fprintf(stderr, "hetero-sim: %s:%d: expected CALL N fail CODE, stall MS, hang, die, die-after or garbage\n",
			path, place);
		count = 0;
	}
	fclose(file);
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

_Noreturn void board_die(void)
{
	for (;;) {
		kill(getpid(), SIGKILL);
		pause();
	}
}

static void stall(long milliseconds)
{
	struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static struct board_fault carry_out(const struct line *line)
{
	if (line->action == DIE)
		board_die();
	if (line->action == STALL)
		stall(line->argument);
	while (line->action == HANG)
		pause();
	return (struct board_fault){.fails = line->action == FAIL, .dies_after = line->action == DIE_AFTER,
				    .garbage = line->action == GARBAGE, .code = line->argument};
}

struct board_fault board_fault_of(const struct board *board, const char *call)
{
	char path[4096];
	struct line line = {0};
	pthread_mutex_lock(&lock);
	follow_file(board_path(board, path, "faults"));
	const struct line *found = count_call(call);
	if (found)
		line = *found;
	pthread_mutex_unlock(&lock);
	return found ? carry_out(&line) : (struct board_fault){0};
}
