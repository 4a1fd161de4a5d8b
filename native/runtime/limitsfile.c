/*
 * The limits file: what the node's owner says about a slice, out of the program's reach. Lines of `key = value`,
 * empty ones, and comments that begin with #. Nothing in it is passed over: what cannot be read gives no memory,
 * since whoever wrote it meant to limit something.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "values.h"

/* A file of all devices with everything said has some 4 KiB. */
#define MOST_BYTES 65536
#define ALL_DEVICES HETERO_DEVICES

struct reader {
	const char *path;
	struct hetero_limits *limits;
	unsigned line;
	bool slice, region, uuid[HETERO_DEVICES];
	bool given[HETERO_SETTINGS][HETERO_DEVICES + 1]; /* the last: for all devices */
	char general[HETERO_SETTINGS][64];
};

static bool complain(const struct reader *reader, const char *key, const char *problem)
{
	hetero_log(HETERO_ERROR, "%s:%u: %s %s; no memory is given", reader->path, reader->line, key, problem);
	return false;
}

/* False when it was there before: of two lines nobody knows which was meant. */
static bool first(const struct reader *reader, const char *key, bool *given)
{
	bool before = *given;
	*given = true;
	return !before || complain(reader, key, "is given twice");
}

static bool copy(const struct reader *reader, const char *key, const char *value, char *place, size_t size)
{
	if (!*value || strlen(value) >= size)
		return complain(reader, key, *value ? "is too long" : "is empty");
	strcpy(place, value);
	return true;
}

/* "memory_3" names memory and 3; "memory" names it for all. False when it is none of `name`. */
static bool names(const char *key, const char *name, unsigned *device)
{
	size_t length = strlen(name);
	char *end;
	if (strncmp(key, name, length) != 0 || (key[length] && key[length] != '_'))
		return false;
	*device = ALL_DEVICES;
	if (!key[length])
		return true;
	const char *digits = key + length + 1;
	if (*digits < '0' || *digits > '9' || (*digits == '0' && digits[1]))
		return false;
	*device = (unsigned)strtoul(digits, &end, 10);
	return !*end && *device < HETERO_DEVICES;
}

static bool unreadable(const struct reader *reader, const struct hetero_setting *setting, const char *key,
		       const char *value)
{
	char problem[256];
	snprintf(problem, sizeof problem, "= '%.100s' is not %s", value, setting->wanted);
	return complain(reader, key, problem);
}

static bool read_setting(struct reader *reader, unsigned which, unsigned device, const char *key, const char *value)
{
	const struct hetero_setting *setting = &hetero_settings[which];
	struct hetero_limits scratch; /* one for all devices is tried here, and set when all lines are read */
	bool all = device == ALL_DEVICES;
	if (!first(reader, key, &reader->given[which][device]))
		return false;
	if (!setting->read(value, all ? 0 : device, all ? &scratch : reader->limits))
		return unreadable(reader, setting, key, value);
	return !all || copy(reader, key, value, reader->general[which], sizeof reader->general[which]);
}

static bool read_entry(struct reader *reader, const char *key, const char *value)
{
	struct hetero_limits *limits = reader->limits;
	unsigned device;
	if (strcmp(key, "slice") == 0)
		return first(reader, key, &reader->slice) &&
		       copy(reader, key, value, limits->slice_id, sizeof limits->slice_id);
	if (strcmp(key, "region") == 0)
		return first(reader, key, &reader->region) &&
		       (*value == '/' || complain(reader, key, "is no absolute path")) &&
		       copy(reader, key, value, limits->region, sizeof limits->region);
	if (names(key, "uuid", &device) && device != ALL_DEVICES)
		return first(reader, key, &reader->uuid[device]) &&
		       copy(reader, key, value, limits->uuid[device], sizeof limits->uuid[device]);
	for (unsigned which = 0; which < HETERO_SETTINGS; which++)
		if (names(key, hetero_settings[which].key, &device))
			return read_setting(reader, which, device, key, value);
	return complain(reader, key, "is no key of this file");
}

static char *trimmed(char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	for (char *end = text + strlen(text); end > text && strchr(" \t\r", end[-1]); end--)
		end[-1] = '\0';
	return text;
}

static bool read_line(struct reader *reader, char *line)
{
	char *key = trimmed(line), *value = strchr(key, '=');
	if (!*key || *key == '#')
		return true;
	if (!value)
		return complain(reader, "the line", "is not 'key = value'");
	*value++ = '\0';
	return read_entry(reader, trimmed(key), trimmed(value));
}

static void spread(struct reader *reader)
{
	for (unsigned which = 0; which < HETERO_SETTINGS; which++)
		for (unsigned device = 0; device < HETERO_DEVICES; device++)
			if (reader->given[which][ALL_DEVICES] && !reader->given[which][device])
				hetero_settings[which].read(reader->general[which], device, reader->limits);
}

static bool read_text(struct reader *reader, char *text, size_t size)
{
	if (strlen(text) != size)
		return complain(reader, "the file", "is no text");
	for (char *line = text; line; reader->line++) {
		char *end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!read_line(reader, line))
			return false;
		line = end;
	}
	spread(reader);
	return true;
}

static bool refuse(const char *path, const char *problem)
{
	hetero_log(HETERO_ERROR, "%s %s; no memory is given", path, problem);
	return false;
}

/* Whoever else could write it could lift the limits. */
static bool trusted(int file, const char *path, uint32_t owner)
{
	struct stat found;
	if (fstat(file, &found) < 0 || !S_ISREG(found.st_mode))
		return refuse(path, "is no regular file");
	if (found.st_uid != owner)
		return refuse(path, owner ? "does not belong to whom it must" : "does not belong to root");
	if (found.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(path, "may be written by group or others");
	return found.st_size < MOST_BYTES || refuse(path, "is too long");
}

static ssize_t read_all(int file, char *text, size_t size)
{
	size_t got = 0;
	while (got < size) {
		ssize_t now = read(file, text + got, size - got);
		if (now < 0 && errno == EINTR)
			continue;
		if (now < 0)
			return -1;
		if (now == 0)
			break;
		got += (size_t)now;
	}
	return (ssize_t)got;
}

static bool read_file(int file, struct reader *reader)
{
	char *text = malloc(MOST_BYTES);
	ssize_t size = text ? read_all(file, text, MOST_BYTES - 1) : -1;
	bool sound = size >= 0 || refuse(reader->path, "cannot be read");
	if (sound) {
		text[size] = '\0';
		sound = read_text(reader, text, (size_t)size);
	}
	free(text);
	return sound;
}

bool hetero_limits_read(const char *path, uint32_t owner, struct hetero_limits *limits)
{
	struct reader reader = {.path = path, .limits = limits, .line = 1};
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file < 0 && (errno == ENOENT || errno == ENOTDIR))
		return false;
	hetero_limits_clear(limits);
	limits->from_file = true;
	if (file < 0)
		hetero_log(HETERO_ERROR, "%s cannot be opened: %s; no memory is given", path, strerror(errno));
	limits->malformed = file < 0 || !trusted(file, path, owner) || !read_file(file, &reader);
	if (file >= 0)
		close(file);
	hetero_limits_finish(limits);
	return true;
}
