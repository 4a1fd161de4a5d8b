/*
 * Arrays. The card keeps them in tiles, so their rows are as wide as a multiple of 64 bytes and as many as a multiple
 * of 8 times a power of two; the small ones share blocks of 2 MiB, apart from plain memory.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27), by cuMemGetInfo: 300 of 1024 floats took 10 MiB, 300 of 64 x 64
 * floats 6, 64 of 256 x 256 16, 8 of 600 x 600 16, 8 of 700 x 700 32, 100 of 32^3 14, 8 of 100^3 48, 20 of 1 x 5000 8.
 */
#include <stdlib.h>

#include "memory.h"

#define TILE_WIDTH 64 /* bytes */
#define TILE_ROWS 8
#define TILES_MOST 16 /* of one block of tiles, in rows */

struct CUarray_st {
	struct object object;
	CUDA_ARRAY3D_DESCRIPTOR described;
	unsigned levels;
	uint64_t bytes, place; /* 0 bytes: nothing of the card's */
	struct block *block;
	uint32_t card;
	CUcontext context;
	CUarray next, *link; /* all live ones */
};

static struct blocks shared[SIM_PLACES];
static CUarray arrays;
static struct object *ended; /* kept for the next, so that a stale handle is told */

static uint64_t at_least_one(uint64_t value)
{
	return value ? value : 1;
}

/* 0 for a format that is not known. */
static uint64_t channel_bytes(CUarray_format format)
{
	switch (format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
	case CU_AD_FORMAT_SIGNED_INT8:
		return 1;
	case CU_AD_FORMAT_UNSIGNED_INT16:
	case CU_AD_FORMAT_SIGNED_INT16:
	case CU_AD_FORMAT_HALF:
		return 2;
	case CU_AD_FORMAT_UNSIGNED_INT32:
	case CU_AD_FORMAT_SIGNED_INT32:
	case CU_AD_FORMAT_FLOAT:
		return 4;
	}
	return 0;
}

static uint64_t rows_of(uint64_t height, bool deep)
{
	uint64_t tiles = 1;
	while (!deep && tiles < TILES_MOST && tiles * TILE_ROWS < height)
		tiles *= 2;
	return round_up(height, tiles * TILE_ROWS * (deep ? 2 : 1));
}

static uint64_t layers_of(uint64_t depth)
{
	return round_up(depth, depth > 4 ? 8 : depth > 2 ? 4 : 2);
}

static uint64_t level_bytes(const CUDA_ARRAY3D_DESCRIPTOR *described, unsigned level)
{
	bool layers = described->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
	uint64_t width = at_least_one(described->Width >> level), height = at_least_one(described->Height >> level);
	uint64_t depth = at_least_one(layers ? described->Depth : described->Depth >> level);
	bool deep = depth > 1 && !layers;
	uint64_t row = round_up(width * channel_bytes(described->Format) * described->NumChannels, TILE_WIDTH);
	return row * rows_of(height, deep) * (deep ? layers_of(depth) : depth);
}

static uint64_t bytes_of(const CUDA_ARRAY3D_DESCRIPTOR *described, unsigned levels)
{
	uint64_t bytes = 0;
	if (described->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
		return 0;
	for (unsigned level = 0; level < levels; level++)
		bytes += level_bytes(described, level);
	return bytes;
}

static bool valid(const CUDA_ARRAY3D_DESCRIPTOR *described)
{
	unsigned channels = described->NumChannels;
	uint64_t most = 1u << 20;
	bool known = channel_bytes(described->Format) && (channels == 1 || channels == 2 || channels == 4);
	return described->Width && known &&
	       described->Width < most && described->Height < most && described->Depth < most;
}

/* With the driver's lock held. */
static CUresult make(CUarray filled, CUarray *out)
{
	if (filled->bytes && !memory_take_piece(&shared[filled->card], filled->card, filled->bytes, &filled->block,
						&filled->place))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUarray array = (CUarray)ended;
	if (array)
		ended = ended->next_free;
	else
		array = malloc(sizeof *array);
	if (!array) {
		if (filled->bytes)
			memory_give_piece(filled->block, filled->place, filled->card, filled->bytes);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*array = *filled;
	array->object.kind = ARRAY;
	array->next = arrays;
	array->link = &arrays;
	if (arrays)
		arrays->link = &array->next;
	arrays = array;
	*out = array;
	return CUDA_SUCCESS;
}

static CUresult create(CUarray *out, const CUDA_ARRAY3D_DESCRIPTOR *described, unsigned levels)
{
	NEED_CONTEXT(context);
	if (!out || !valid(described) || !levels)
		return CUDA_ERROR_INVALID_VALUE;
	struct CUarray_st filled = {.described = *described, .levels = levels, .bytes = bytes_of(described, levels),
				    .card = driver.card_of[context->device], .context = context};
	driver_lock();
	CUresult result = make(&filled, out);
	driver_unlock();
	return result;
}

/* With the driver's lock held. */
static void end(CUarray array)
{
	if (array->bytes)
		memory_give_piece(array->block, array->place, array->card, array->bytes);
	virtual_forget_array(array);
	*array->link = array->next;
	if (array->next)
		array->next->link = array->link;
	array->object = (struct object){.next_free = ended};
	ended = &array->object;
}

void arrays_forget_context(CUcontext context)
{
	for (CUarray array = arrays, next; array; array = next) {
		next = array->next;
		if (array->context == context)
			end(array);
	}
}

static CUresult destroy(CUarray array)
{
	NEED_INIT();
	if (!object_is(array, ARRAY))
		return CUDA_ERROR_INVALID_HANDLE;
	driver_lock();
	end(array);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuArray3DCreate_v2(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *descriptor)
{
	return descriptor ? create(array, descriptor, 1) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuArrayCreate_v2(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *descriptor)
{
	if (!descriptor)
		return CUDA_ERROR_INVALID_VALUE;
	CUDA_ARRAY3D_DESCRIPTOR described = {.Width = descriptor->Width, .Height = descriptor->Height,
					     .Format = descriptor->Format, .NumChannels = descriptor->NumChannels};
	return create(array, &described, 1);
}

SIM_EXPORT CUresult cuArray3DCreate(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR_v1 *descriptor)
{
	if (!descriptor)
		return CUDA_ERROR_INVALID_VALUE;
	CUDA_ARRAY3D_DESCRIPTOR described = {.Width = descriptor->Width, .Height = descriptor->Height,
					     .Depth = descriptor->Depth, .Format = descriptor->Format,
					     .NumChannels = descriptor->NumChannels, .Flags = descriptor->Flags};
	return create(array, &described, 1);
}

SIM_EXPORT CUresult cuArrayCreate(CUarray *array, const CUDA_ARRAY_DESCRIPTOR_v1 *descriptor)
{
	if (!descriptor)
		return CUDA_ERROR_INVALID_VALUE;
	CUDA_ARRAY3D_DESCRIPTOR described = {.Width = descriptor->Width, .Height = descriptor->Height,
					     .Format = descriptor->Format, .NumChannels = descriptor->NumChannels};
	return create(array, &described, 1);
}

SIM_EXPORT CUresult cuArrayDestroy(CUarray array)
{
	return destroy(array);
}

SIM_EXPORT CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *descriptor, CUarray array)
{
	NEED_INIT();
	if (!object_is(array, ARRAY))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!descriptor)
		return CUDA_ERROR_INVALID_VALUE;
	*descriptor = array->described;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *descriptor, CUarray array)
{
	CUDA_ARRAY3D_DESCRIPTOR whole;
	CUresult result = descriptor ? cuArray3DGetDescriptor_v2(&whole, array) : CUDA_ERROR_INVALID_VALUE;
	if (result == CUDA_SUCCESS)
		*descriptor = (CUDA_ARRAY_DESCRIPTOR){whole.Width, whole.Height, whole.Format, whole.NumChannels};
	return result;
}

/* A mipmapped array is its levels: one object, whose handle is of another type. */
SIM_EXPORT CUresult cuMipmappedArrayCreate(CUmipmappedArray *array, const CUDA_ARRAY3D_DESCRIPTOR *descriptor,
					   unsigned int levels)
{
	return descriptor ? create((CUarray *)array, descriptor, levels) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMipmappedArrayDestroy(CUmipmappedArray array)
{
	return destroy((CUarray)array);
}
