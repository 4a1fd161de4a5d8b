/* What people write into the environment, read once and strictly: a malformed memory limit is no licence. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hetero/runtime.h"

static const struct {
	char letter;
	unsigned shift;
} units[] = {{'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}};

/* Digits with at most one point among them, as thousandths; moves past them. */
static bool read_number(const char **text, uint64_t *thousandths)
{
	uint64_t value = 0;
	int decimals = -1, digits = 0;
	for (; (**text >= '0' && **text <= '9') || (**text == '.' && decimals < 0); ++*text) {
		if (**text == '.') {
			decimals = 0;
			continue;
		}
		digits++;
		if (decimals >= 3)
			continue; /* finer than a thousandth of a unit means nothing */
		if (value > (UINT64_MAX - 9) / 10 / 1000)
			return false;
		value = value * 10 + (uint64_t)(**text - '0');
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 3; decimals++)
		value *= 10;
	*thousandths = value;
	return digits > 0;
}

/* k, m, g, t with or without i and b, in any case; nothing: bytes. */
static bool read_unit(const char *text, unsigned *shift)
{
	char letter = (char)(*text | 0x20);
	*shift = 0;
	for (size_t i = 0; *text && i < sizeof units / sizeof *units; i++)
		if (units[i].letter == letter) {
			*shift = units[i].shift;
			text++;
			if (*text == 'i' || *text == 'I')
				text++;
			break;
		}
	if (*text == 'b' || *text == 'B')
		text++;
	while (*text == ' ')
		text++;
	return !*text;
}

bool hetero_parse_size(const char *text, uint64_t *bytes)
{
	uint64_t thousandths;
	unsigned shift;
	while (*text == ' ')
		text++;
	if (!read_number(&text, &thousandths))
		return false;
	while (*text == ' ')
		text++;
	if (!read_unit(text, &shift) || thousandths / 1000 > (UINT64_MAX >> shift >> 1))
		return false;
	*bytes = ((thousandths / 1000) << shift) + ((thousandths % 1000) << shift) / 1000;
	return true;
}

bool hetero_parse_percent(const char *text, uint32_t *percent)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	end += *end == '%';
	if (errno || *end || value > 100)
		return false;
	*percent = (uint32_t)value;
	return true;
}

/* The variable for one device, or the one for all; unset and empty are the same. */
static const char *for_device(const char *name, unsigned device, char *spelt, size_t size)
{
	snprintf(spelt, size, "%s_%u", name, device);
	const char *value = getenv(spelt);
	if (value && *value)
		return value;
	snprintf(spelt, size, "%s", name);
	value = getenv(spelt);
	return value && *value ? value : NULL;
}

/* The variable for all devices is read sixteen times but complained about once. */
static bool first_complaint(const char *name, const char *spelt, unsigned device)
{
	return device == 0 || strcmp(name, spelt) != 0;
}

static void read_memory(const char *name, unsigned device, struct hetero_limits *limits)
{
	char spelt[128];
	const char *text = for_device(name, device, spelt, sizeof spelt);
	if (!text || hetero_parse_size(text, &limits->memory[device]))
		return;
	limits->malformed = true;
	if (first_complaint(name, spelt, device))
		hetero_log(HETERO_ERROR, "%s='%s' is not a size; no memory is given until it is, such as 512m or 2g",
			   spelt, text);
}

static void read_cores(const char *name, unsigned device, struct hetero_limits *limits)
{
	char spelt[128];
	const char *text = for_device(name, device, spelt, sizeof spelt);
	if (!text || hetero_parse_percent(text, &limits->cores[device]))
		return;
	if (first_complaint(name, spelt, device))
		hetero_log(HETERO_ERROR, "%s='%s' is not a percentage; compute is not limited; write 0 to 100", spelt,
			   text);
}

static void read_region(const char *name, struct hetero_limits *limits)
{
	const char *path = getenv(name);
	if (path && strlen(path) < sizeof limits->region)
		strcpy(limits->region, path);
}

void hetero_options_read(const struct hetero_option_names *names, struct hetero_limits *limits)
{
	uint32_t level;
	const char *text = getenv(names->log);
	memset(limits, 0, sizeof *limits);
	if (text && hetero_parse_percent(text, &level))
		hetero_log_set_level((int)level);
	read_region(names->region, limits);
	limits->any = *limits->region;
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		read_memory(names->memory, device, limits);
		read_cores(names->cores, device, limits);
		limits->any |= limits->malformed || limits->memory[device] || limits->cores[device] % 100;
	}
}
