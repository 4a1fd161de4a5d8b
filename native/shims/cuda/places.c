/* A bit for each place of a block. */
#include "places.h"

#include <stdlib.h>

#define PLACES ((unsigned)(BLOCK_BYTES / BLOCK_PLACE))
#define WORD 64u

static unsigned places_of(uint64_t bytes)
{
	return (unsigned)(block_round(bytes, BLOCK_PLACE) / BLOCK_PLACE);
}

/* The first of so many free places in a row; PLACES when there is none. */
static unsigned first_fit(const struct placed_block *block, unsigned count)
{
	unsigned run = 0;
	for (unsigned place = 0; place < PLACES; place++) {
		uint64_t word = block->places[place / WORD];
		if (place % WORD == 0 && word == UINT64_MAX) {
			place += WORD - 1;
			run = 0;
			continue;
		}
		run = word >> place % WORD & 1 ? 0 : run + 1;
		if (run == count)
			return place + 1 - count;
	}
	return PLACES;
}

struct placed_block *places_find(struct placed_block *first, uint64_t bytes, unsigned *place)
{
	unsigned count = places_of(bytes);
	for (struct placed_block *block = first; block; block = block->next) {
		if (PLACES - block->taken < count)
			continue;
		*place = first_fit(block, count);
		if (*place < PLACES)
			return block;
	}
	return NULL;
}

struct placed_block *places_add(struct placed_block **first)
{
	struct placed_block *block = calloc(1, sizeof *block);
	if (!block)
		return NULL;
	block->next = *first;
	block->link = first;
	if (block->next)
		block->next->link = &block->next;
	*first = block;
	return block;
}

static void flip(struct placed_block *block, unsigned count, unsigned first)
{
	for (unsigned place = first; place < first + count; place++)
		block->places[place / WORD] ^= 1ull << place % WORD;
}

void places_take(struct placed_block *block, uint64_t bytes, unsigned place)
{
	flip(block, places_of(bytes), place);
	block->taken += places_of(bytes);
}

bool places_give(struct placed_block *block, uint64_t bytes, unsigned place)
{
	flip(block, places_of(bytes), place);
	block->taken -= places_of(bytes);
	if (block->taken)
		return false;
	*block->link = block->next;
	if (block->next)
		block->next->link = block->link;
	free(block);
	return true;
}
