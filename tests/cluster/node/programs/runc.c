/*
 * Stands before runc, and takes the system call filter out of what a container is created from.
 *
 * The runc that the tests build is one without libseccomp, whose headers few machines have; it refuses every container
 * with a filter, and a pod's own sandbox always has one. In a cluster of the tests containers run without.
 *
 * The configuration is JSON on one line, as Go writes it. "seccomp" is looked for as a key: a string that is followed
 * by a colon, outside of any other string.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef REAL
#define REAL "/opt/bin/runc.real"
#endif
#define KEY "\"seccomp\""

/* The first byte after the string that begins at text. */
static char *past_string(char *text)
{
	for (text++; *text && *text != '"'; text++)
		if (*text == '\\' && text[1])
			text++;
	return *text ? text + 1 : text;
}

/* The first byte after the value that begins at text: an object, or null. */
static char *past_value(char *text)
{
	int depth = 0;

	while (*text) {
		if (*text == '"') {
			text = past_string(text);
			continue;
		}
		if (*text == '{' || *text == '[')
			depth++;
		else if (*text == '}' || *text == ']')
			depth--;
		else if (*text == ',' && depth == 0)
			return text;
		if (depth < 0)
			return text;
		text++;
	}
	return text;
}

/* Make the filter null, and fill up with blanks: JSON does not mind, and the file keeps its length. */
static void without_filter(char *text)
{
	while (*text) {
		char *start = text, *end;

		if (*text != '"') {
			text++;
			continue;
		}
		text = past_string(text);
		if (*text != ':' || strncmp(start, KEY, strlen(KEY)))
			continue;
		end = past_value(++text);
		if (end - text < 4)
			continue;
		memset(text, ' ', (size_t)(end - text));
		memcpy(text, "null", 4);
	}
}

static int edit(const char *bundle)
{
	char path[4096];
	struct stat found;
	char *text;
	int file, bad = -1;

	snprintf(path, sizeof(path), "%s/config.json", bundle);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0 || fstat(file, &found))
		return -1;
	text = calloc(1, (size_t)found.st_size + 1);
	if (text && pread(file, text, (size_t)found.st_size, 0) == found.st_size) {
		without_filter(text);
		bad = pwrite(file, text, (size_t)found.st_size, 0) != found.st_size;
	}
	free(text);
	close(file);
	return bad;
}

int main(int count, char **words)
{
	for (int at = 1; at + 1 < count; at++)
		if (!strcmp(words[at], "--bundle") && edit(words[at + 1]))
			perror("runc: config.json");
	words[0] = REAL;
	execv(REAL, words);
	perror(REAL);
	return 1;
}
