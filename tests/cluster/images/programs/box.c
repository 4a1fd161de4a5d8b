/*
 * box: what an image without a shell needs to be tried: a few commands in one static program, which no preload library
 * enters. It is called by their names, or as `box COMMAND`.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char usage[] =
	"usage: box COMMAND\n"
	"  sleep [SECONDS]             for good without SECONDS, or with `infinity`; a SIGTERM ends it with 143\n"
	"  cat FILE...                 prints files\n"
	"  ls FOLDER                   prints the names in a folder\n"
	"  env [NAME]                  prints all variables, or the value of one, and ends with 1 where it is not set\n"
	"  put FILE TEXT               writes a text to a file, or says why not\n"
	"  exit NUMBER                 ends with a number\n"
	"  then COMMAND... -- COMMAND  runs each with its arguments as long as they end well, and becomes the last\n"
	"  bash -c 'COMMAND'           one command, its words parted by spaces: what manifests write, and no shell\n";

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

/* The first process of a container gets only the signals that it has a handler for. */
static void end(int number)
{
	_exit(128 + number);
}

static void end_when_asked(void)
{
	struct sigaction asked = {.sa_handler = end};
	sigaction(SIGTERM, &asked, NULL);
	sigaction(SIGINT, &asked, NULL);
}

static int do_sleep(char **argument)
{
	end_when_asked();
	if (*argument && strcmp(*argument, "infinity") != 0) {
		unsigned left = (unsigned)strtoul(*argument, NULL, 10);
		while (left)
			left = sleep(left);
		return 0;
	}
	for (;;)
		pause();
}

static int print_file(const char *name)
{
	char buffer[4096];
	ssize_t got;
	int file = open(name, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return fail(name);
	while ((got = read(file, buffer, sizeof buffer)) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	int failed = got < 0 ? fail(name) : 0;
	close(file);
	return failed;
}

static int do_cat(char **argument)
{
	int failed = 0;
	for (; *argument; argument++)
		failed |= print_file(*argument);
	return failed;
}

static int do_ls(char **argument)
{
	struct dirent **found;
	const char *folder = *argument ? *argument : ".";
	int count = scandir(folder, &found, NULL, alphasort);
	if (count < 0)
		return fail(folder);
	for (int i = 0; i < count; i++)
		if (strcmp(found[i]->d_name, ".") != 0 && strcmp(found[i]->d_name, "..") != 0)
			puts(found[i]->d_name);
	return 0;
}

static int do_env(char **argument)
{
	if (!*argument) {
		for (char **variable = environ; *variable; variable++)
			puts(*variable);
		return 0;
	}
	const char *value = getenv(*argument);
	if (value)
		puts(value);
	return !value;
}

static int do_put(char **argument)
{
	if (!argument[0] || !argument[1])
		return fputs(usage, stderr), 2;
	int file = open(argument[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0)
		return fail(argument[0]);
	size_t length = strlen(argument[1]);
	int failed = write(file, argument[1], length) != (ssize_t)length || close(file) != 0;
	return failed ? fail(argument[0]) : 0;
}

static int do_exit(char **argument)
{
	return *argument ? atoi(*argument) : 0;
}

static char **separator(char **argument)
{
	while (*argument && strcmp(*argument, "--") != 0)
		argument++;
	return argument;
}

static pid_t running; /* what is asked to end when we are */

static void end_both(int number)
{
	if (running > 0)
		kill(running, number);
	_exit(128 + number);
}

static int run(char **argument)
{
	int status;
	running = fork();
	if (running == 0) {
		execvp(*argument, argument);
		_exit(fail(*argument) + 126);
	}
	while (running < 0 || waitpid(running, &status, 0) < 0)
		if (running < 0 || errno != EINTR)
			return fail(*argument);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int do_then(char **argument)
{
	struct sigaction asked = {.sa_handler = end_both};
	sigaction(SIGTERM, &asked, NULL);
	for (char **stop = separator(argument); *stop; argument = stop + 1, stop = separator(argument)) {
		*stop = NULL;
		int code = run(argument);
		if (code)
			return code;
	}
	if (!*argument)
		return fputs(usage, stderr), 2;
	execvp(*argument, argument);
	return fail(*argument) + 126;
}

static int do_bash(char **argument)
{
	char *words[32];
	size_t count = 0;
	if (!argument[0] || strcmp(argument[0], "-c") != 0 || !argument[1] || strpbrk(argument[1], "\"'$;&|<>()\\`*"))
		return fputs(usage, stderr), 2;
	char *word = strtok(argument[1], " ");
	for (; word && count < sizeof words / sizeof *words - 1; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	if (!count || word)
		return fputs(usage, stderr), 2;
	execvp(*words, words);
	return fail(*words) + 126;
}

static const struct {
	const char *name;
	int (*run)(char **arguments);
} commands[] = {
	{"sleep", do_sleep}, {"cat", do_cat},   {"ls", do_ls},     {"env", do_env},
	{"put", do_put},     {"exit", do_exit}, {"then", do_then}, {"bash", do_bash},
};

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	char **arguments = argv + 1;
	if (strcmp(name, "box") == 0 && argc > 1) {
		name = *arguments;
		arguments++;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(arguments);
	fputs(usage, stderr);
	return 2;
}
