/* A line that nobody reads is no matter for the program. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals = signals + 1;
}

/* Standard error becomes a pipe whose reader is gone. */
static void break_pipe(void)
{
	int ends[2];
	if (pipe(ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		_exit(1);
	close(ends[0]);
	close(ends[1]);
}

/* Standard error becomes a file that is as long as it may be. */
static void fill_file(void)
{
	const struct rlimit none = {0, 0};
	FILE *file = tmpfile();
	if (!file || dup2(fileno(file), STDERR_FILENO) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0)
		_exit(1);
}

static void say(void)
{
	hetero_log(HETERO_ERROR, "somebody may read this");
}

static void say_and_count(void)
{
	signal(SIGPIPE, count);
	signal(SIGXFSZ, count);
	say();
	_exit(signals);
}

/* A signal that the program got itself, and keeps back, is still to come. */
static void say_while_one_is_pending(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGPIPE);
	say();
	sigpending(&set);
	_exit(sigismember(&set, SIGPIPE) == 1 ? 0 : 1);
}

static int status_of(void (*prepare)(void), void (*act)(void))
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		prepare();
		act();
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return status;
}

int main(void)
{
	void (*const preparations[])(void) = {break_pipe, fill_file};
	for (unsigned i = 0; i < sizeof preparations / sizeof *preparations; i++) {
		CHECK(status_of(preparations[i], say) == 0);
		CHECK(status_of(preparations[i], say_and_count) == 0);
	}
	CHECK(status_of(break_pipe, say_while_one_is_pending) == 0);
	return TEST_RESULT();
}
