/*
 * Device memory.  An allocation is an address range and a charge on the card;
 * there is nothing behind it, except for managed memory, which the host may
 * touch.
 *
 * Simplifications, each on the safe side of what the tests ask: memory is
 * charged to the byte (rounded up to 512, the alignment of an address), while a
 * card hands out larger blocks; managed memory is charged to the card when it is
 * allocated, while a card takes pages as they are touched; memory freed in
 * stream order returns to the card at once, while a pool keeps it until the
 * stream is waited for.
 */
#include "memory.h"

#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGNMENT 512ull
/* Above all addresses of a process, so that no device address is ever a host address too. */
#define FIRST_ADDRESS (1ull << 48)

static void *tree;
static CUdeviceptr next_address = FIRST_ADDRESS;

/* Ranges that overlap count as equal: so a look-up with one byte finds the range around it. */
static int compare_ranges(const void *left, const void *right)
{
	const struct allocation *a = left, *b = right;
	if (a->address + a->bytes <= b->address)
		return -1;
	return b->address + b->bytes <= a->address;
}

struct allocation *memory_find(CUdeviceptr address)
{
	struct allocation key = {.address = address, .bytes = 1};
	void *found = tfind(&key, &tree, compare_ranges);
	return found ? *(struct allocation **)found : NULL;
}

bool memory_covers(CUdeviceptr address, size_t bytes)
{
	driver_lock();
	const struct allocation *found = memory_find(address);
	bool covers = found && bytes <= found->bytes - (address - found->address);
	driver_unlock();
	return covers;
}

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

CUdeviceptr memory_reserve_addresses(uint64_t bytes, uint64_t alignment)
{
	CUdeviceptr address = round_up(next_address, alignment);
	next_address = address + round_up(bytes, ALIGNMENT);
	return address;
}

static CUdeviceptr find_address(uint64_t bytes, enum memory_kind kind)
{
	if (kind != MANAGED)
		return memory_reserve_addresses(bytes, ALIGNMENT);
	void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return host == MAP_FAILED ? 0 : (CUdeviceptr)(uintptr_t)host;
}

static bool enter(const struct allocation *filled)
{
	struct allocation *allocation = malloc(sizeof *allocation);
	if (!allocation)
		return false;
	*allocation = *filled;
	if (!tsearch(allocation, &tree, compare_ranges)) {
		free(allocation);
		return false;
	}
	CUcontext context = allocation->context;
	allocation->next = context->allocations;
	allocation->link = &context->allocations;
	if (allocation->next)
		allocation->next->link = &allocation->next;
	context->allocations = allocation;
	return true;
}

static void discard(struct allocation *allocation)
{
	tdelete(allocation, &tree, compare_ranges);
	*allocation->link = allocation->next;
	if (allocation->next)
		allocation->next->link = allocation->link;
	if (allocation->kind == MANAGED)
		munmap((void *)(uintptr_t)allocation->address, allocation->bytes);
	if (allocation->charged)
		sim_memory_give(&driver.machine, driver.process, allocation->card, allocation->charged);
	free(allocation);
}

void memory_forget_context(CUcontext context)
{
	while (context->allocations)
		discard(context->allocations);
}

CUresult memory_allocate(CUcontext context, uint64_t bytes, enum memory_kind kind, CUdeviceptr *out)
{
	struct allocation filled = {.bytes = bytes, .kind = kind, .context = context,
				    .card = driver.card_of[context->device]};
	if (!out || !bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes > UINT64_MAX / 2)
		return CUDA_ERROR_OUT_OF_MEMORY;
	filled.charged = round_up(bytes, ALIGNMENT);
	if (!sim_memory_take(&driver.machine, driver.process, filled.card, filled.charged))
		return CUDA_ERROR_OUT_OF_MEMORY;
	driver_lock();
	filled.address = find_address(bytes, kind);
	bool entered = filled.address && enter(&filled);
	driver_unlock();
	if (!entered) {
		sim_memory_give(&driver.machine, driver.process, filled.card, filled.charged);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*out = filled.address;
	return CUDA_SUCCESS;
}

CUresult memory_free(CUdeviceptr address)
{
	driver_lock();
	struct allocation *found = memory_find(address);
	bool freeable = found && found->address == address;
	if (freeable)
		discard(found);
	driver_unlock();
	return freeable ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *out, size_t bytes)
{
	NEED_CONTEXT(context);
	return memory_allocate(context, bytes, PLAIN, out);
}

SIM_EXPORT CUresult cuMemAllocManaged(CUdeviceptr *out, size_t bytes, unsigned int flags)
{
	NEED_CONTEXT(context);
	if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST)
		return CUDA_ERROR_INVALID_VALUE;
	return memory_allocate(context, bytes, MANAGED, out);
}

SIM_EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr *out, size_t *pitch, size_t width, size_t height,
				       unsigned int element)
{
	NEED_CONTEXT(context);
	if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16))
		return CUDA_ERROR_INVALID_VALUE;
	size_t wide = round_up(width, ALIGNMENT);
	if (wide < width || height > UINT64_MAX / 2 / wide)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = memory_allocate(context, wide * height, PLAIN, out);
	if (result == CUDA_SUCCESS)
		*pitch = wide;
	return result;
}

/* Waits for all work of the context first, as the driver does. */
SIM_EXPORT CUresult cuMemFree_v2(CUdeviceptr address)
{
	NEED_CONTEXT(context);
	if (!address)
		return CUDA_SUCCESS;
	sim_sleep_until(context->tail_ns);
	return memory_free(address);
}

SIM_EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
	NEED_CONTEXT(context);
	if (free_bytes)
		*free_bytes = sim_memory_free(&driver.machine, driver.card_of[context->device]);
	if (total)
		*total = device_card(context->device)->memory_bytes;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address)
{
	NEED_CONTEXT(context);
	(void)context;
	driver_lock();
	const struct allocation *found = memory_find(address);
	if (found && base)
		*base = found->address;
	if (found && bytes)
		*bytes = found->bytes;
	driver_unlock();
	return found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
