/*
 * Memory by handle, apart from any address.  It belongs to no context, so it
 * outlives the one it was made under.
 */
#include "memory.h"

#include <stdlib.h>

#define GRANULARITY (2 * SIM_MIB)

struct handle {
	struct handle *next;
	CUmemGenericAllocationHandle number;
	uint64_t bytes;
	uint32_t card;
};

static struct handle *handles;
static CUmemGenericAllocationHandle next_number = 0x1000;

static struct handle *find_handle(CUmemGenericAllocationHandle number)
{
	for (struct handle *handle = handles; handle; handle = handle->next)
		if (handle->number == number)
			return handle;
	return NULL;
}

static bool valid_properties(const CUmemAllocationProp *properties)
{
	return properties && properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
	       properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
}

static CUresult create(CUmemGenericAllocationHandle *out, size_t bytes, uint32_t card)
{
	struct handle *handle = malloc(sizeof *handle);
	if (!handle)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!sim_memory_take(&driver.machine, driver.process, card, bytes)) {
		free(handle);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	driver_lock();
	*handle = (struct handle){.next = handles, .number = next_number++, .bytes = bytes, .card = card};
	handles = handle;
	*out = handle->number;
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *out, size_t bytes, const CUmemAllocationProp *properties,
				unsigned long long flags)
{
	NEED_INIT();
	if (!out || !bytes || bytes % GRANULARITY || flags || !valid_properties(properties))
		return CUDA_ERROR_INVALID_VALUE;
	if (!device_exists(properties->location.id))
		return CUDA_ERROR_INVALID_DEVICE;
	return create(out, bytes, driver.card_of[properties->location.id]);
}

/* With the driver's lock held. */
static void end_handle(struct handle *handle)
{
	struct handle **link = &handles;
	while (*link != handle)
		link = &(*link)->next;
	*link = handle->next;
	sim_memory_give(&driver.machine, driver.process, handle->card, handle->bytes);
	free(handle);
}

SIM_EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle number)
{
	NEED_INIT();
	driver_lock();
	struct handle *handle = find_handle(number);
	if (handle)
		end_handle(handle);
	driver_unlock();
	return handle ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *properties,
						  CUmemAllocationGranularity_flags option)
{
	NEED_INIT();
	if (!granularity || !valid_properties(properties) || (unsigned)option > 1)
		return CUDA_ERROR_INVALID_VALUE;
	*granularity = GRANULARITY;
	return CUDA_SUCCESS;
}
