/*
 * The prediction is the least of the last eight measurements. Contention between tenants only lengthens a measurement, so the least
 * is nearest to what the kernel costs; a kernel that really became longer is believed after eight samples, and until
 * then each sample pays for its own excess, up to half as much again.
 *
 * What this cannot tell is a kernel whose time differs from launch to launch with the same geometry, since a neighbour
 * looks just like it: such a one is charged up to half more than its shortest run, and may get more than its share.
 */
#include <string.h>

#include "estimate.h"

#define ROWS 4096
#define PROBES 16
#define FIRST_SAMPLES 4
#define SAMPLE_EVERY 16

static struct estimate rows[ROWS];

struct estimate *estimate_of(uint64_t key)
{
	struct estimate *row = NULL;
	key = key ? key : 1;
	for (unsigned i = 0; i < PROBES; i++) {
		row = &rows[(key + i) % ROWS];
		if (row->key == key)
			return row;
		if (!row->key)
			break;
	}
	memset(row, 0, sizeof *row);
	row->key = key;
	return row;
}

/* Longer than predicted: a neighbour, or a kernel that has more to do now. The next launches tell which. */
static bool suspicious(const struct estimate *estimate)
{
	int64_t last = estimate->recent[(estimate->samples - 1) % ESTIMATE_WINDOW];
	return last > estimate->ns + estimate->ns / 4;
}

bool estimate_wants_sample(const struct estimate *estimate)
{
	return estimate->samples < FIRST_SAMPLES || suspicious(estimate) || estimate->launches % SAMPLE_EVERY == 0;
}

int64_t estimate_charge(struct estimate *estimate)
{
	estimate->launches++;
	estimate->unsettled += !estimate->ns;
	return estimate->ns;
}

bool estimate_suffices(const struct estimate *estimate, uint32_t ahead)
{
	return estimate->ns || estimate->unsettled < ahead || !estimate->awaited;
}

static int64_t least_recent(const struct estimate *estimate)
{
	uint32_t count = estimate->samples < ESTIMATE_WINDOW ? estimate->samples : ESTIMATE_WINDOW;
	int64_t least = estimate->recent[0];
	for (uint32_t i = 1; i < count; i++)
		least = estimate->recent[i] < least ? estimate->recent[i] : least;
	return least;
}

int64_t estimate_learn(struct estimate *estimate, int64_t measured_ns)
{
	int64_t before = estimate->ns;
	estimate->recent[estimate->samples++ % ESTIMATE_WINDOW] = measured_ns;
	estimate->ns = least_recent(estimate);
	if (!before) {
		int64_t owed = estimate->ns * estimate->unsettled;
		estimate->unsettled = 0;
		return owed;
	}
	int64_t believed = measured_ns < before + before / 2 ? measured_ns : before + before / 2;
	return believed - before;
}
