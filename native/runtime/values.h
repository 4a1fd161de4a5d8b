/* What can be said about a device of a slice, the same in the environment and in the limits file. */
#ifndef HETERO_VALUES_H
#define HETERO_VALUES_H

#include "hetero/runtime.h"

enum { HETERO_MEMORY, HETERO_CORES, HETERO_POLICY, HETERO_PRIORITY_OF, HETERO_OVERSUBSCRIBE, HETERO_SETTINGS };

struct hetero_setting {
	const char *key; /* in the limits file */
	bool (*read)(const char *text, unsigned device, struct hetero_limits *limits);
	const char *wanted;   /* "... is not WANTED" */
	const char *instead;  /* what an unreadable one in the environment comes to */
	bool closes;          /* such a one gives no memory */
};

extern const struct hetero_setting hetero_settings[HETERO_SETTINGS];

/* Nothing said. */
void hetero_limits_clear(struct hetero_limits *limits);

/* Sets `any` from the rest. */
void hetero_limits_finish(struct hetero_limits *limits);

#endif
