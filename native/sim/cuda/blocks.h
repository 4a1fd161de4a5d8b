/*
 * How a card's memory is handed out: what is larger than 2 MiB in blocks of 2 MiB of its own, what is not in places of
 * 512 bytes in blocks that it shares with its like.
 */
#ifndef HETERO_SIM_CUDA_BLOCKS_H
#define HETERO_SIM_CUDA_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#define BLOCK (2ull << 20)      /* bytes */
#define BLOCK_SHARED BLOCK      /* what is not larger shares a block */
#define PLACE 512ull            /* bytes; the alignment of every address */

struct block {
	struct block *next, **link;
	uint64_t address;
	uint32_t taken; /* places */
	uint64_t places[BLOCK / PLACE / 64];
};

/* All blocks of one card and one kind of memory. */
struct blocks {
	struct block *first;
};

static inline uint64_t round_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

/* The first place for so many bytes, at most BLOCK, in a block that is there; NULL when none has room. */
struct block *blocks_find(const struct blocks *blocks, uint64_t bytes, uint64_t *address);

/* A new, empty block at an address. NULL without memory to note it. */
struct block *blocks_add(struct blocks *blocks, uint64_t address);

/* Takes and gives back the places of so many bytes; giving back says whether the block is empty now. */
void block_take(struct block *block, uint64_t address, uint64_t bytes);
bool block_give(struct block *block, uint64_t address, uint64_t bytes);

void blocks_remove(struct block *block);

#endif
