/*
 * pause: what holds a pod's namespaces. It takes in the processes that others left behind, and ends when it is asked to.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int number)
{
	(void)number;
	_exit(0);
}

static void take_in(int number)
{
	(void)number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void)
{
	/* The first process of a namespace gets only the signals that it has a handler for. */
	struct sigaction asked = {.sa_handler = end}, left = {.sa_handler = take_in, .sa_flags = SA_NOCLDSTOP};
	sigaction(SIGINT, &asked, NULL);
	sigaction(SIGTERM, &asked, NULL);
	sigaction(SIGCHLD, &left, NULL);
	for (;;)
		pause();
}
