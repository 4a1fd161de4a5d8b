/*
 * The ledger against a plain model: the same random sequences of growing, giving back, changes of the limit and
 * deaths in the middle of any of them, over several slots and devices. After every step both say the same.
 */
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

#include "ledger.h"
#include "testhelper.h"

#define SLOTS 6u
#define DEVICES 3u
#define STEPS 300000

static struct hetero_region *region;
static struct {
	uint64_t held[SLOTS][DEVICES], limit[DEVICES];
} model;
static uint64_t numbers[SLOTS][DEVICES]; /* what each living owner knows of its changes */

static uint64_t state = 42;
static jmp_buf death;
static unsigned points_left; /* until the process dies; 0: it does not */
static bool exchanged;
static unsigned deaths, refusals;

static unsigned random_below(unsigned most)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % most;
}

void hetero_point(const char *name)
{
	exchanged |= strcmp(name, "ledger.exchanged") == 0;
	if (points_left && !--points_left)
		longjmp(death, 1);
}

static uint64_t sum_of(unsigned device)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		sum += model.held[slot][device];
	return sum;
}

static bool may_grow(unsigned device, uint64_t bytes)
{
	return !bytes || !model.limit[device] || sum_of(device) + bytes <= model.limit[device];
}

/* Grows or shrinks, and perhaps dies in it. What has taken effect by then is what the model is told. */
static void change(unsigned slot, unsigned device, uint64_t bytes, bool grows)
{
	uint64_t *held = &model.held[slot][device], *number = &numbers[slot][device];
	uint64_t less = bytes < *held ? bytes : *held;
	bool allowed = !grows || may_grow(device, bytes);
	points_left = random_below(4) ? 0 : 1 + random_below(3);
	exchanged = false;
	if (setjmp(death)) {
		deaths++;
		*number = hetero_ledger_number(region, slot, device); /* as the next owner of the slot finds it */
	} else {
		bool done = grows ? hetero_ledger_grow(region, slot, device, bytes, number)
				  : hetero_ledger_shrink(region, slot, device, bytes, number);
		CHECK(done == allowed);
		refusals += !done;
		CHECK(exchanged == allowed);
	}
	points_left = 0;
	if (exchanged)
		*held = grows ? *held + bytes : *held - less;
}

static void step(void)
{
	unsigned slot = random_below(SLOTS), device = random_below(DEVICES);
	switch (random_below(12)) {
	case 0:
		model.limit[device] = random_below(4) ? random_below(3000) : 0;
		atomic_store(&region->devices[device].memory_limit, model.limit[device]);
		break;
	case 1: /* buried by another, who takes the number from the ledger */
		numbers[slot][device] = hetero_ledger_number(region, slot, device);
		change(slot, device, UINT64_MAX, false);
		break;
	default:
		change(slot, device, random_below(400), random_below(2));
	}
}

static bool agree(void)
{
	for (unsigned device = 0; device < DEVICES; device++) {
		if (atomic_load(&region->devices[device].memory.bytes) != sum_of(device))
			return false;
		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (hetero_ledger_held(region, slot, device) != model.held[slot][device])
				return false;
	}
	return true;
}

int main(void)
{
	region = mmap(NULL, sizeof *region, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED)
		return EXIT_FAILURE;
	for (int i = 0; i < STEPS && !checks_failed; i++) {
		step();
		CHECK(agree());
	}
	CHECK(deaths > STEPS / 20 && refusals > STEPS / 20);
	return TEST_RESULT();
}
