/* What memory takes of a device, without a driver: sizes as seen on an H100 (driver 580.159.04), and places in blocks. */
#include "places.h"
#include "testhelper.h"

#include <stdlib.h>

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define FLOATS CU_AD_FORMAT_FLOAT

static void large_allocations_are_rounded_up_to_blocks(void)
{
	CHECK(block_room(MIB + 1) == 2 * MIB);
	CHECK(block_room(2 * MIB) == 2 * MIB);
	CHECK(block_room(2 * MIB + 1) == 4 * MIB);
	CHECK(block_room(5 * MIB) == 6 * MIB);
	CHECK(block_is_shared(MIB) && !block_is_shared(MIB + 1));
}

/* Nothing that is too large for a number may come out small. */
static void absurd_sizes_fit_nowhere(void)
{
	CUDA_ARRAY3D_DESCRIPTOR wide = {SIZE_MAX, SIZE_MAX, SIZE_MAX, FLOATS, 4, 0};
	CHECK(block_room(UINT64_MAX) == UINT64_MAX);
	CHECK(block_room(UINT64_MAX - MIB) == UINT64_MAX);
	CHECK(array_bytes(&wide, 1) == UINT64_MAX);
	CHECK(array_bytes(&wide, UINT32_MAX) == UINT64_MAX);
}

static uint64_t blocks_of(uint64_t bytes, int count)
{
	struct placed_block *first = NULL;
	uint64_t blocks = 0;
	unsigned place;
	for (int i = 0; i < count; i++) {
		struct placed_block *block = places_find(first, bytes, &place);
		if (!block) {
			block = places_add(&first);
			place = 0;
			blocks++;
		}
		places_take(block, bytes, place);
	}
	while (first) {
		struct placed_block *next = first->next;
		free(first);
		first = next;
	}
	return blocks;
}

static uint64_t mib_of(const CUDA_ARRAY3D_DESCRIPTOR *descriptor, int count, unsigned levels)
{
	uint64_t bytes = array_bytes(descriptor, levels);
	if (!bytes)
		return 0;
	return block_is_shared(bytes) ? 2 * blocks_of(bytes, count) : block_room(bytes) / MIB * (uint64_t)count;
}

static void arrays_are_as_large_as_on_the_card(void)
{
	static const struct {
		CUDA_ARRAY3D_DESCRIPTOR described;
		int count;
		unsigned levels;
		uint64_t mib;
	} seen[] = {
		{{1024, 0, 0, FLOATS, 1, 0}, 300, 1, 10},      {{64, 64, 0, FLOATS, 1, 0}, 300, 1, 6},
		{{256, 256, 0, FLOATS, 1, 0}, 64, 1, 16},      {{512, 512, 0, FLOATS, 1, 0}, 16, 1, 16},
		{{600, 600, 0, FLOATS, 1, 0}, 8, 1, 16},       {{700, 700, 0, FLOATS, 1, 0}, 8, 1, 32},
		{{800, 800, 0, FLOATS, 1, 0}, 8, 1, 32},       {{1000, 1000, 0, FLOATS, 1, 0}, 1, 1, 4},
		{{1024, 1024, 0, FLOATS, 1, 0}, 1, 1, 4},      {{1, 5000, 0, FLOATS, 1, 0}, 20, 1, 8},
		{{16384, 16384, 0, FLOATS, 1, 0}, 1, 1, 1024}, {{5, 5, 5, FLOATS, 1, 0}, 100, 1, 2},
		{{32, 32, 32, FLOATS, 1, 0}, 100, 1, 14},      {{70, 70, 70, FLOATS, 1, 0}, 8, 1, 16},
		{{100, 100, 100, FLOATS, 1, 0}, 8, 1, 48},     {{256, 256, 256, FLOATS, 1, 0}, 1, 1, 64},
		{{64, 64, 8, FLOATS, 1, 1}, 100, 1, 14},       {{1024, 1024, 16, FLOATS, 1, 1}, 1, 1, 64},
		{{4096, 4096, 0, FLOATS, 1, 0}, 1, 13, 86},    {{4096, 4096, 0, FLOATS, 1, 0x40}, 1, 1, 0},
		{{4096, 4096, 0, FLOATS, 1, 0x80}, 1, 1, 0},   {{1024, 128, 4, FLOATS, 1, 0}, 5, 1, 10},
	};
	for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
		CHECK(mib_of(&seen[i].described, seen[i].count, seen[i].levels) == seen[i].mib);
}

static void formats_count_by_their_bits(void)
{
	CUDA_ARRAY3D_DESCRIPTOR array = {1024, 1024, 0, CU_AD_FORMAT_UNSIGNED_INT8, 1, 0};
	CHECK(array_bytes(&array, 1) == MIB);
	array.NumChannels = 4;
	CHECK(array_bytes(&array, 1) == 4 * MIB);
	array.Format = CU_AD_FORMAT_HALF;
	CHECK(array_bytes(&array, 1) == 8 * MIB);
	array.Format = (CUarray_format)0xc5; /* UNORM_INT16X4 */
	CHECK(array_bytes(&array, 1) == 8 * MIB);
	array.Format = (CUarray_format)0x91; /* BC1: half a byte for an element */
	CHECK(array_bytes(&array, 1) == MIB / 2);
	array.Format = (CUarray_format)0x9d; /* BC7 */
	CHECK(array_bytes(&array, 1) == MIB);
	array.Format = (CUarray_format)0x7777; /* not known: as the widest */
	CHECK(array_bytes(&array, 1) == 8 * MIB);
}

static void blocks_hold_as_many_as_fit(void)
{
	for (uint64_t bytes = 1; bytes <= MIB; bytes += 4999) {
		uint64_t each = (bytes + 511) / 512 * 512;
		int a_block = (int)(2 * MIB / each);
		CHECK(blocks_of(bytes, a_block) == 1);
		CHECK(blocks_of(bytes, a_block + 1) == 2);
	}
}

struct thing {
	struct placed_block *block;
	uint64_t bytes;
	unsigned place;
};

/* At random: nobody's places overlap, and a block is gone exactly when nobody is left in it. */
static void places_are_nobody_elses(void)
{
	static struct thing things[300];
	struct placed_block *first = NULL;
	unsigned seed = 3;
	for (int step = 0; step < 20000; step++) {
		struct thing *thing = &things[rand_r(&seed) % 300];
		if (thing->block) {
			bool others = false;
			for (int i = 0; i < 300; i++)
				others |= &things[i] != thing && things[i].block == thing->block;
			CHECK(places_give(thing->block, thing->bytes, thing->place) == !others);
			thing->block = NULL;
			continue;
		}
		uint64_t bytes = 1 + (uint64_t)rand_r(&seed) % (rand_r(&seed) % 2 ? MIB : 8 * KIB);
		struct placed_block *block = places_find(first, bytes, &thing->place);
		if (!block) {
			block = places_add(&first);
			thing->place = 0;
		}
		uint64_t from = thing->place * 512ull, to = from + bytes;
		CHECK(to <= 2 * MIB);
		for (int i = 0; i < 300; i++)
			if (things[i].block == block)
				CHECK(to <= things[i].place * 512ull || from >= things[i].place * 512ull + things[i].bytes);
		places_take(block, bytes, thing->place);
		thing->block = block;
		thing->bytes = bytes;
	}
}

int main(void)
{
	large_allocations_are_rounded_up_to_blocks();
	absurd_sizes_fit_nowhere();
	arrays_are_as_large_as_on_the_card();
	formats_count_by_their_bits();
	blocks_hold_as_many_as_fit();
	places_are_nobody_elses();
	return TEST_RESULT();
}
