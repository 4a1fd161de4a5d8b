/* A machine in a directory of its own, for the tests of libraries that stand on native/sim/board. */
#ifndef HETERO_SIM_TESTS_BOARDCHECK_H
#define HETERO_SIM_TESTS_BOARDCHECK_H

#include <ftw.h>

#include "expect.h"

static char board_directory[64];

static inline void write_board(const char *name, const char *text)
{
	char path[4096], new[4096 + 8];
	snprintf(path, sizeof path, "%s/%s", board_directory, name);
	snprintf(new, sizeof new, "%s.new", path);
	FILE *file = fopen(new, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(new, path) != 0) {
		perror(path);
		exit(1);
	}
}

/* For this process and its children. */
static inline void use_board(const char *variable, const char *cards)
{
	snprintf(board_directory, sizeof board_directory, "/tmp/hetero-sim-board-XXXXXX");
	if (!mkdtemp(board_directory)) {
		perror("mkdtemp");
		exit(1);
	}
	setenv(variable, board_directory, 1);
	write_board("cards.conf", cards);
}

static inline bool board_has(const char *below)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", board_directory, below);
	return access(path, F_OK) == 0;
}

static inline int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status, (void)kind, (void)place;
	return remove(path);
}

static inline void remove_board(void)
{
	nftw(board_directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
