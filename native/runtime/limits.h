/* The limits that stand in a region; see limits.c. */
#ifndef HETERO_LIMITS_H
#define HETERO_LIMITS_H

#include "hetero/runtime.h"

/* Writes the limits into a region that nobody uses yet. */
void hetero_limits_fill(struct hetero_region *region, const struct hetero_limits *limits);

/* Lets the limits of a newcomer take the place of those that stand there, where they are to. */
void hetero_limits_renew(struct hetero_region *region, const char *path, const struct hetero_limits *limits);

#endif
