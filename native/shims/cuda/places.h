/*
 * Where small things without an address lie in blocks that they share: a model of the driver's own placing, first fit
 * at multiples of 512 bytes. Where it places otherwise, it may hold a block more or less than is told here.
 */
#ifndef HETERO_SHIM_PLACES_H
#define HETERO_SHIM_PLACES_H

#include "blocks.h"

struct placed_block {
	struct placed_block *next, **link;
	unsigned taken; /* places */
	uint64_t places[BLOCK_BYTES / BLOCK_PLACE / 64];
};

/* A block with room for so many bytes, at most half a block, and the place there; NULL when all are too full. */
struct placed_block *places_find(struct placed_block *first, uint64_t bytes, unsigned *place);

/* A new block at the head of a list; NULL without memory. */
struct placed_block *places_add(struct placed_block **first);

void places_take(struct placed_block *block, uint64_t bytes, unsigned place);

/* True when that was the block's last: it is no longer in its list, and freed. */
bool places_give(struct placed_block *block, uint64_t bytes, unsigned place);

#endif
