/*
 * The size of arrays. An array lies in tiles of 64 bytes by 8 rows, which are piled up to 16 high where it has so many
 * rows; a deep one in lower piles, up to 8 layers deep.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27), by cuMemGetInfo, floats of one channel: 300 of 1024 took 10 MiB, 300
 * of 64 x 64 6, 64 of 256 x 256 16, 8 of 600 x 600 16, 8 of 700 x 700 32, 100 of 32^3 14, 8 of 70^3 16, 8 of 100^3 48,
 * 5 of 1024 x 128 x 4 10, 20 of 1 x 5000 8; one of 16384^2 1024, and of 4096^2 with 13 levels 86. Where another
 * architecture piles otherwise, the charge is off by at most the padding.
 */
#include "blocks.h"

#define TILE_WIDTH 64ull /* bytes */
#define TILE_ROWS 8ull
#define PILE_MOST 16ull
#define PILE_DEEP 2ull
#define LAYERS 8ull

/* Bits of one element with all its channels. Numbers: CUarray_format in cuda.h of CUDA 13.5. */
static uint64_t element_bits(unsigned format, uint64_t channels)
{
	/* UNORM and SNORM, of one, two, four channels, of 8 bits and of 16. */
	static const unsigned char packed[] = {8, 16, 32, 16, 32, 64};
	if (format >= 0xc0 && format <= 0xcb)
		return packed[(format - 0xc0) % sizeof packed];
	if (format >= 0x91 && format <= 0x9e) /* BC1 to BC7; 1 and 4 in 8 bytes for 4 x 4 elements, the others in 16 */
		return format <= 0x92 || format == 0x97 || format == 0x98 ? 4 : 8;
	switch (format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
	case CU_AD_FORMAT_SIGNED_INT8:
		return 8 * channels;
	case CU_AD_FORMAT_UNSIGNED_INT16:
	case CU_AD_FORMAT_SIGNED_INT16:
	case CU_AD_FORMAT_HALF:
		return 16 * channels;
	case CU_AD_FORMAT_UNSIGNED_INT32:
	case CU_AD_FORMAT_SIGNED_INT32:
	case CU_AD_FORMAT_FLOAT:
		return 32 * channels;
	case 0x50: /* three of 10 bits and one of 2 */
		return 32;
	case 0xb0: /* NV12 */
		return 12;
	default: /* planes of video: none is wider */
		return 64;
	}
}

static uint64_t at_least_one(uint64_t value)
{
	return value ? value : 1;
}

static uint64_t rows(uint64_t height, bool deep)
{
	uint64_t pile = deep ? PILE_DEEP : 1;
	while (!deep && pile < PILE_MOST && pile * TILE_ROWS < height)
		pile *= 2;
	return block_round(height, pile * TILE_ROWS);
}

static uint64_t layers(uint64_t depth)
{
	uint64_t pile = 1;
	while (pile < LAYERS && pile < depth)
		pile *= 2;
	return block_round(depth, pile);
}

static uint64_t times(uint64_t one, uint64_t other)
{
	uint64_t product;
	return __builtin_mul_overflow(one, other, &product) ? UINT64_MAX : product;
}

static uint64_t level_bytes(const CUDA_ARRAY3D_DESCRIPTOR *descriptor, unsigned level)
{
	bool layered = descriptor->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
	uint64_t width = at_least_one(descriptor->Width >> level), height = at_least_one(descriptor->Height >> level);
	uint64_t depth = at_least_one(layered ? descriptor->Depth : descriptor->Depth >> level);
	bool deep = depth > 1 && !layered;
	uint64_t bits = times(width, element_bits((unsigned)descriptor->Format, descriptor->NumChannels));
	uint64_t row = block_round(bits / 8 + (bits % 8 != 0), TILE_WIDTH);
	return times(times(row, rows(height, deep)), deep ? layers(depth) : depth);
}

uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *descriptor, unsigned levels)
{
	uint64_t bytes = 0;
	if (descriptor->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
		return 0;
	for (unsigned level = 0; level < levels && level < 32; level++)
		if (__builtin_add_overflow(bytes, level_bytes(descriptor, level), &bytes))
			return UINT64_MAX;
	return bytes;
}
