/* What the parts of the board know of each other. */
#ifndef HETERO_SIM_BOARD_INSIDE_H
#define HETERO_SIM_BOARD_INSIDE_H

#include <stdint.h>
#include <sys/types.h>

#include "board.h"

struct board_line {
	int card; /* BOARD_MACHINE, or counted from 0 */
	const char *key, *value;
};

/* Never changed and never freed once it has been returned: somebody may be reading it. */
struct board {
	char directory[3072];
	unsigned cards;
	size_t count;
	struct board_line *lines;
	char *text; /* of the file, in which the lines point */
};

/* Without the blanks at both ends, in place. */
char *board_trim(char *text);
/* Makes the directories above a path. */
bool board_make_above(const char *path);

#endif
