/* Reading cards.conf, and noticing that it has changed. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../machine/stamp.h"
#include "inside.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct board *current; /* NULL: the file as it was last seen could not be read */
static char seen[4096];
static struct sim_stamp known;

static void begin_anew(void)
{
	pthread_mutex_init(&lock, NULL);
}

/* A thread of the parent may have held the lock, and there is no such thread in the child. */
static __attribute__((constructor)) void survive_fork(void)
{
	pthread_atfork(NULL, NULL, begin_anew);
}

char *board_trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	char *end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	if (!file) {
		fprintf(stderr, "hetero-sim: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	/* Up to a zero byte, which no such file has: the whole of it. */
	if (getdelim(&text, &room, '\0', file) < 0 && text)
		*text = '\0';
	fclose(file);
	return text;
}

static size_t count_lines(const char *text)
{
	size_t lines = 1;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* What is wrong with it; NULL when nothing is. */
static const char *take_line(struct board *board, char *text)
{
	if (!*text || *text == '#')
		return NULL;
	if (*text == '[') {
		if (strcmp(text, "[card]") != 0)
			return "unknown section, expected [card]";
		return board->cards++ < BOARD_CARDS ? NULL : "more cards than a machine can have";
	}
	char *equals = strchr(text, '=');
	if (!equals)
		return "expected key = value";
	*equals = '\0';
	board->lines[board->count++] = (struct board_line){
		.card = (int)board->cards - 1, .key = board_trim(text), .value = board_trim(equals + 1)};
	return NULL;
}

static bool take_lines(struct board *board, const char *path)
{
	char *rest = board->text;
	for (int place = 1; rest; place++) {
		const char *wrong = take_line(board, board_trim(strsep(&rest, "\n")));
		if (!wrong)
			continue;
		fprintf(stderr, "hetero-sim: %s:%d: %s\n", path, place, wrong);
		return false;
	}
	return true;
}

static struct board *read_board(const char *directory, const char *path)
{
	struct board *board = calloc(1, sizeof *board);
	if (!board || strlen(directory) >= sizeof board->directory)
		goto fault;
	strcpy(board->directory, directory);
	board->text = read_whole(path);
	if (!board->text)
		goto fault;
	board->lines = calloc(count_lines(board->text), sizeof *board->lines);
	if (board->lines && take_lines(board, path))
		return board;
	free(board->lines);
	free(board->text);
fault:
	free(board);
	return NULL;
}

struct board *board_open(const char *variable)
{
	const char *directory = getenv(variable);
	char path[sizeof seen];
	if (!directory || !*directory ||
	    snprintf(path, sizeof path, "%s/cards.conf", directory) >= (int)sizeof path)
		return NULL;
	pthread_mutex_lock(&lock);
	struct sim_stamp latest = sim_stamp_of(path);
	if (strcmp(path, seen) != 0 || !sim_stamp_same(&latest, &known)) {
		/* A machine that is being read by another thread is left to it. */
		current = read_board(directory, path);
		strcpy(seen, path);
		known = latest;
	}
	struct board *board = current;
	pthread_mutex_unlock(&lock);
	return board;
}

unsigned board_cards(const struct board *board)
{
	return board->cards;
}

const char *board_text(const struct board *board, int card, const char *key, const char *fallback)
{
	for (size_t i = board->count; i-- > 0;)
		if (board->lines[i].card == card && strcmp(board->lines[i].key, key) == 0)
			return board->lines[i].value;
	return fallback;
}

long long board_number(const struct board *board, int card, const char *key, long long fallback)
{
	const char *text = board_text(board, card, key, NULL);
	char *end;
	if (!text)
		return fallback;
	errno = 0;
	long long number = strtoll(text, &end, 0);
	if (!errno && end != text && !*end)
		return number;
	fprintf(stderr, "hetero-sim: %s/cards.conf: %s: expected a whole number, got %s\n", board->directory, key, text);
	return fallback;
}

bool board_flag(const struct board *board, int card, const char *key, bool fallback)
{
	const char *text = board_text(board, card, key, NULL);
	if (!text)
		return fallback;
	if (strcasecmp(text, "on") == 0 || strcasecmp(text, "off") == 0)
		return strcasecmp(text, "on") == 0;
	fprintf(stderr, "hetero-sim: %s/cards.conf: %s: expected on or off, got %s\n", board->directory, key, text);
	return fallback;
}
