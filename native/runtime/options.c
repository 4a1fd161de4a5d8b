/* What this process is to keep to: the limits file where there is one, else what people write into the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "values.h"

/* No program can redirect it: only who may write there limits what runs here. */
#ifndef HETERO_LIMITS_FILE
#define HETERO_LIMITS_FILE "/etc/hetero/limits"
#endif
#define ROOT 0u

/* Unset and empty are the same. */
static const char *said(const char *name)
{
	const char *value = name ? getenv(name) : NULL;
	return value && *value ? value : NULL;
}

/* The variable for one device, or the one for all. */
static const char *for_device(const char *name, unsigned device, char *spelt, size_t size)
{
	snprintf(spelt, size, "%s_%u", name, device);
	const char *value = said(spelt);
	if (value)
		return value;
	snprintf(spelt, size, "%s", name);
	return said(spelt);
}

/* The variable for all devices is read sixteen times but complained about once. */
static bool first_complaint(const char *name, const char *spelt, unsigned device)
{
	return device == 0 || strcmp(name, spelt) != 0;
}

static void read_setting(const struct hetero_setting *setting, const char *name, unsigned device,
			 struct hetero_limits *limits)
{
	char spelt[128];
	const char *text = name ? for_device(name, device, spelt, sizeof spelt) : NULL;
	if (!text || setting->read(text, device, limits))
		return;
	limits->malformed |= setting->closes;
	if (first_complaint(name, spelt, device))
		hetero_log(HETERO_ERROR, "%s='%s' is not %s; %s", spelt, text, setting->wanted, setting->instead);
}

/* A switch beside the percentages. */
static void read_compute(const char *name, unsigned device, struct hetero_limits *limits)
{
	char spelt[128];
	const char *text = name ? for_device(name, device, spelt, sizeof spelt) : NULL;
	if (!text || strcasecmp(text, "default") == 0 || strcasecmp(text, "force") == 0)
		return;
	if (strcasecmp(text, "disable") == 0)
		limits->cores[device] = 0;
	else if (first_complaint(name, spelt, device))
		hetero_log(HETERO_ERROR, "%s='%s' is not default, force or disable; it is default", spelt, text);
}

static void read_log(const char *name)
{
	uint32_t level;
	const char *text = said(name);
	if (text && hetero_parse_percent(text, &level))
		hetero_log_set_level((int)level);
}

/* Cut, it would be another slice's. */
static void read_region(const char *name, struct hetero_limits *limits)
{
	const char *path = said(name);
	if (!path)
		return;
	if (strlen(path) < sizeof limits->region) {
		strcpy(limits->region, path);
		return;
	}
	limits->malformed = true;
	hetero_log(HETERO_ERROR, "%s is longer than a path can be; no memory is given until it is not", name);
}

static void read_environment(const struct hetero_option_names *names, struct hetero_limits *limits)
{
	const char *const of[HETERO_SETTINGS] = {
		[HETERO_MEMORY] = names->memory,	   [HETERO_CORES] = names->cores,
		[HETERO_POLICY] = names->policy,	   [HETERO_PRIORITY_OF] = names->priority,
		[HETERO_OVERSUBSCRIBE] = names->oversubscribe,
	};
	read_region(names->region, limits);
	for (unsigned device = 0; device < HETERO_DEVICES; device++) {
		for (unsigned i = 0; i < HETERO_SETTINGS; i++)
			read_setting(&hetero_settings[i], of[i], device, limits);
		read_compute(names->compute, device, limits);
	}
}

void hetero_options_read(const struct hetero_option_names *names, struct hetero_limits *limits)
{
	read_log(names->log);
	if (hetero_limits_read(HETERO_LIMITS_FILE, ROOT, limits))
		return;
	hetero_limits_clear(limits);
	read_environment(names, limits);
	hetero_limits_finish(limits);
}
