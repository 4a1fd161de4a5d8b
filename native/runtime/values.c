/* What people write, read strictly: a malformed memory limit is no licence. */
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static bool read_memory(const char *text, unsigned device, struct hetero_limits *limits)
{
	limits->said = true;
	return hetero_parse_size(text, &limits->memory[device]);
}

static bool read_cores(const char *text, unsigned device, struct hetero_limits *limits)
{
	limits->said = true;
	return hetero_parse_percent(text, &limits->cores[device]);
}

/* The place of a word in a list that ends with NULL; -1: not among them. */
static int place_of(const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return i;
	return -1;
}

static bool read_policy(const char *text, unsigned device, struct hetero_limits *limits)
{
	static const char *const words[] = {[HETERO_POLICY_CAP] = "cap", [HETERO_POLICY_CONSERVE] = "conserve", NULL};
	int policy = place_of(text, words);
	if (policy >= 0)
		limits->policy[device] = (uint32_t)policy;
	return policy >= 0;
}

static bool read_priority(const char *text, unsigned device, struct hetero_limits *limits)
{
	uint32_t value;
	if (!hetero_parse_percent(text, &value) || strchr(text, '%'))
		return false;
	limits->priority[device] = value;
	return true;
}

static bool read_oversubscribe(const char *text, unsigned device, struct hetero_limits *limits)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1", NULL};
	int answer = place_of(text, words);
	if (answer < 0)
		return false;
	limits->flags[device] = answer % 2 ? HETERO_DEVICE_OVERSUBSCRIBE : 0;
	return true;
}

const struct hetero_setting hetero_settings[HETERO_SETTINGS] = {
	[HETERO_MEMORY] = {"memory", read_memory, "a size such as 512m or 2g", "no memory is given until it is", true},
	[HETERO_CORES] = {"cores", read_cores, "a percentage from 0 to 100", "compute is not limited", false},
	[HETERO_POLICY] = {"policy", read_policy, "cap or conserve", "it is cap", false},
	[HETERO_PRIORITY_OF] = {"priority", read_priority, "a number from 0 to 100", "it is 1", false},
	[HETERO_OVERSUBSCRIBE] = {"oversubscribe", read_oversubscribe, "yes or no", "it is no", false},
};

void hetero_limits_clear(struct hetero_limits *limits)
{
	memset(limits, 0, sizeof *limits);
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		limits->priority[device] = HETERO_PRIORITY;
}

void hetero_limits_finish(struct hetero_limits *limits)
{
	limits->any = *limits->region || limits->malformed;
	for (unsigned device = 0; device < HETERO_DEVICES; device++)
		limits->any |= limits->memory[device] || limits->cores[device] % 100;
}
