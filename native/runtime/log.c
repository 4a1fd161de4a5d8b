/* One line to standard error, only when asked for: errors by default, nothing in a process that works. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hetero/runtime.h"

static int level_shown = HETERO_ERROR;

void hetero_log_set_level(int level)
{
	level_shown = level;
}

/* What people write is shown as far as it stays in its line. */
static void make_one_line(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

/* One write of one line, so that lines of several processes do not mix. */
void hetero_log(enum hetero_log_level level, const char *format, ...)
{
	char line[1024] = "hetero: ";
	size_t used = strlen(line);
	va_list arguments;
	if ((int)level > level_shown)
		return;
	va_start(arguments, format);
	int written = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
	va_end(arguments);
	if (written > 0)
		used += (size_t)written < sizeof line - used - 1 ? (size_t)written : sizeof line - used - 2;
	make_one_line(line, used);
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nobody to tell */
}
