/* The files of the machine: device nodes that come and go, entries of /sys, directories of configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"

const char *board_path(const struct board *board, char out[4096], const char *below)
{
	if (snprintf(out, 4096, "%s/%s", board->directory, below) >= 4096)
		out[0] = '\0';
	return out;
}

bool board_make_above(const char *path)
{
	char above[4096];
	if (snprintf(above, sizeof above, "%s", path) >= (int)sizeof above)
		return false;
	for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(above, 0755) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return true;
}

bool board_put(const struct board *board, const char *below, const char *text)
{
	char path[4096], new[4096 + 32];
	if (!*board_path(board, path, below) || !board_make_above(path))
		return false;
	snprintf(new, sizeof new, "%s.new-%d", path, (int)getpid());
	FILE *file = fopen(new, "we");
	if (!file)
		return false;
	bool written = fputs(text, file) >= 0;
	if (fclose(file) == 0 && written && rename(new, path) == 0)
		return true;
	unlink(new);
	return false;
}

void board_drop(const struct board *board, const char *below)
{
	char path[4096];
	if (*board_path(board, path, below))
		unlink(path);
}
