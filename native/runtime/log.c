/* One line to standard error, only when asked for: errors by default, nothing in a process that works. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
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

/*
 * One write of one line, so that lines of several processes do not mix. Where nobody reads it, or the file is as long as it may
 * be, the program would get a signal for what it has not written, and mostly end by it.
 */
static void write_line(const char *line, size_t size)
{
	const struct timespec now = {0};
	sigset_t signals, before, pending;
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	sigaddset(&signals, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	sigpending(&pending);
	int kept = errno, number = write(STDERR_FILENO, line, size) < 0 ? errno : 0;
	number = number == EPIPE ? SIGPIPE : number == EFBIG ? SIGXFSZ : 0;
	sigemptyset(&signals);
	if (number && !sigismember(&pending, number) && sigaddset(&signals, number) == 0)
		sigtimedwait(&signals, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = kept;
}

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
	write_line(line, used);
}
