/*
 * What of a device an allocation takes: arithmetic, without a driver.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27), by NVML and cuMemGetInfo. The device is lost in blocks of 2 MiB. What is
 * larger begins with a block and has the last one alone, too. What is not lies at a multiple of 512 bytes with its like,
 * whatever the sizes: up to 1 MiB always, above where a block has a hole that is wide enough. So the address tells the
 * blocks: in thousands of allocations and frees at random, of up to 40 MiB, the device lost 2 MiB for each block in
 * which something lived, always.
 */
#ifndef HETERO_SHIM_BLOCKS_H
#define HETERO_SHIM_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "cuda_abi.h"

#define BLOCK_BYTES (2ull << 20)
#define BLOCK_PLACE 512ull

/* True when the allocation is small enough to lie in a block with others of its size. */
static inline bool block_is_shared(uint64_t bytes)
{
	return bytes <= BLOCK_BYTES / 2;
}

/*
 * Bytes rounded up to a multiple of a power of two; UINT64_MAX, which fits nowhere, where that is too large a number.
 */
static inline uint64_t block_round(uint64_t bytes, uint64_t unit)
{
	return bytes > UINT64_MAX - unit ? UINT64_MAX : (bytes + unit - 1) & ~(unit - 1);
}

/* The most that the device can lose to an allocation of so many bytes, and exactly that when it is not shared. */
static inline uint64_t block_room(uint64_t bytes)
{
	return block_round(bytes, BLOCK_BYTES);
}

/* What an address has in common with all others of its block; never 0. */
static inline uint64_t block_key(CUdeviceptr pointer)
{
	return pointer / BLOCK_BYTES + 1;
}

/* Bytes of an array of so many levels as the device keeps it, in tiles; 0 when it takes nothing of its own. */
uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *descriptor, unsigned levels);

#endif
