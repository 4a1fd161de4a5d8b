/*
 * Physical memory by handle, apart from any address, and the addresses that it is mapped to. It belongs to no context.
 * It goes back to the card when nothing refers to it any more: no reference of its handle, no mapping, no file
 * descriptor that it was exported to, no handle that was imported from one.
 *
 * An exported descriptor is the reading end of a pipe in which the memory's description lies. Its end is seen when
 * somebody asks what is free, or takes memory.
 */
#include "virtual.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC 0x56495254u

/* What lies in the pipe: enough for another process to know the memory as well. */
struct description {
	uint32_t magic, pid, card;
	uint64_t number, bytes;
};

struct range {
	struct range *next;
	CUdeviceptr address;
	uint64_t bytes;
};

static struct physical *memories;
static struct handle *handles;
static struct range *ranges;
static CUmemGenericAllocationHandle next_number = 0x1000;

/* From here to the first call, with the driver's lock held. */
struct handle *virtual_find(CUmemGenericAllocationHandle number)
{
	for (struct handle *handle = handles; handle; handle = handle->next)
		if (handle->number == number && handle->references)
			return handle;
	return NULL;
}

static bool readers_left(int pipe)
{
	struct pollfd ends = {.fd = pipe};
	return pipe >= 0 && poll(&ends, 1, 0) == 0;
}

static void remove_memory(struct physical *memory)
{
	struct physical **link = &memories;
	while (*link != memory)
		link = &(*link)->next;
	*link = memory->next;
	if (memory->exported >= 0)
		close(memory->exported);
	if (!memory->foreign)
		sim_memory_give(&driver.machine, driver.process, memory->card, memory->bytes);
	free(memory);
}

static void settle(struct physical *memory)
{
	if (!memory->handles && !memory->mappings && !readers_left(memory->exported))
		remove_memory(memory);
}

static void settle_all(void)
{
	for (struct physical *memory = memories, *next; memory; memory = next) {
		next = memory->next;
		settle(memory);
	}
}

void virtual_settle(void)
{
	driver_lock();
	settle_all();
	driver_unlock();
}

static void settle_handle(struct handle *handle)
{
	if (handle->references || handle->mappings)
		return;
	struct handle **link = &handles;
	while (*link != handle)
		link = &(*link)->next;
	*link = handle->next;
	handle->memory->handles--;
	settle(handle->memory);
	free(handle);
}

static CUresult new_handle(struct physical *memory, CUmemGenericAllocationHandle *out)
{
	struct handle *handle = malloc(sizeof *handle);
	if (!handle)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*handle = (struct handle){.next = handles, .number = next_number++, .memory = memory, .references = 1};
	handles = handle;
	memory->handles++;
	*out = handle->number;
	return CUDA_SUCCESS;
}

static struct physical *new_memory(const struct physical *filled)
{
	struct physical *memory = malloc(sizeof *memory);
	if (!memory)
		return NULL;
	*memory = *filled;
	memory->next = memories;
	memories = memory;
	return memory;
}

static bool valid_properties(const CUmemAllocationProp *properties)
{
	return properties && properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
	       properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
}

static CUresult create(CUmemGenericAllocationHandle *out, const struct physical *filled)
{
	settle_all();
	if (!sim_memory_take(&driver.machine, driver.process, filled->card, filled->bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct physical *memory = new_memory(filled);
	if (!memory) {
		sim_memory_give(&driver.machine, driver.process, filled->card, filled->bytes);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = new_handle(memory, out);
	if (result != CUDA_SUCCESS)
		remove_memory(memory);
	return result;
}

static struct range *range_around(CUdeviceptr address, uint64_t bytes)
{
	for (struct range *range = ranges; range; range = range->next)
		if (address >= range->address && address + bytes <= range->address + range->bytes)
			return range;
	return NULL;
}

/* True when whole mappings, and nothing else, lie in a range. */
static bool wholly_mapped(CUdeviceptr address, uint64_t bytes)
{
	CUdeviceptr at = address;
	while (at < address + bytes) {
		const struct allocation *found = memory_find(at);
		if (!found || found->kind != HANDLE_MAPPING || found->address != at)
			return false;
		at += found->bytes;
	}
	return at == address + bytes;
}

static bool any_mapped(CUdeviceptr address, uint64_t bytes)
{
	for (CUdeviceptr at = address; at < address + bytes; at += BLOCK)
		if (memory_find(at))
			return true;
	return false;
}

void virtual_refer(struct handle *handle)
{
	handle->mappings++;
	handle->memory->mappings++;
}

void virtual_let_go(struct handle *handle)
{
	handle->mappings--;
	handle->memory->mappings--;
	settle_handle(handle);
}

static CUresult map(CUdeviceptr address, uint64_t bytes, uint64_t offset, struct handle *handle)
{
	if (!range_around(address, bytes) || any_mapped(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	if (offset || bytes != handle->memory->bytes)
		return CUDA_ERROR_NOT_SUPPORTED; /* as the driver says to part of a handle's memory */
	struct allocation filled = {.address = address, .bytes = bytes, .kind = HANDLE_MAPPING, .owner = handle,
				    .card = handle->memory->card};
	if (!memory_enter(&filled))
		return CUDA_ERROR_OUT_OF_MEMORY;
	virtual_refer(handle);
	return CUDA_SUCCESS;
}

static void unmap(CUdeviceptr address, uint64_t bytes)
{
	for (CUdeviceptr at = address; at < address + bytes;) {
		struct allocation *found = memory_find(at);
		struct handle *handle = found->owner;
		at += found->bytes;
		memory_discard(found);
		virtual_let_go(handle);
	}
}

static CUresult export(struct physical *memory, int *out)
{
	int ends[2];
	struct description text = {.magic = MAGIC, .pid = (uint32_t)getpid(), .card = memory->card,
				   .number = memory->number, .bytes = memory->bytes};
	if (memory->exported >= 0)
		return CUDA_ERROR_NOT_SUPPORTED; /* one descriptor of each memory is enough for the tests */
	if (pipe2(ends, O_CLOEXEC) != 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	if (write(ends[1], &text, sizeof text) != (ssize_t)sizeof text) {
		close(ends[0]);
		close(ends[1]);
		return CUDA_ERROR_OPERATING_SYSTEM;
	}
	memory->exported = ends[1];
	*out = ends[0];
	return CUDA_SUCCESS;
}

/* Reads what lies in the pipe and leaves it there. */
static bool read_description(int descriptor, struct description *text)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	bool good = tee(descriptor, ends[1], sizeof *text, SPLICE_F_NONBLOCK) == (ssize_t)sizeof *text &&
		    read(ends[0], text, sizeof *text) == (ssize_t)sizeof *text && text->magic == MAGIC;
	close(ends[0]);
	close(ends[1]);
	return good;
}

static struct physical *described(const struct description *text)
{
	for (struct physical *memory = memories; memory; memory = memory->next)
		if (text->pid == (uint32_t)getpid() && !memory->foreign && memory->number == text->number)
			return memory;
	struct physical filled = {.bytes = text->bytes, .card = text->card, .foreign = true, .exported = -1};
	return new_memory(&filled);
}

static CUresult import(int descriptor, CUmemGenericAllocationHandle *out)
{
	struct description text;
	if (!read_description(descriptor, &text))
		return CUDA_ERROR_INVALID_VALUE;
	struct physical *memory = described(&text);
	return memory ? new_handle(memory, out) : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *out, size_t bytes, const CUmemAllocationProp *properties,
				unsigned long long flags)
{
	NEED_INIT();
	static uint64_t number;
	if (!out || !bytes || bytes % BLOCK || flags || !valid_properties(properties))
		return CUDA_ERROR_INVALID_VALUE;
	if (!device_exists(properties->location.id))
		return CUDA_ERROR_INVALID_DEVICE;
	driver_lock();
	struct physical filled = {.number = ++number, .bytes = bytes, .card = driver.card_of[properties->location.id],
				  .properties = *properties, .exported = -1};
	CUresult result = create(out, &filled);
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle number)
{
	NEED_INIT();
	driver_lock();
	struct handle *handle = virtual_find(number);
	if (handle) {
		handle->references--;
		settle_handle(handle);
	}
	driver_unlock();
	return handle ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *out, void *address)
{
	NEED_INIT();
	driver_lock();
	const struct allocation *found = memory_find((CUdeviceptr)(uintptr_t)address);
	bool mapped = out && found && found->kind == HANDLE_MAPPING;
	if (mapped) {
		struct handle *handle = found->owner;
		handle->references++;
		*out = handle->number;
	}
	driver_unlock();
	return mapped ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *properties,
						  CUmemAllocationGranularity_flags option)
{
	NEED_INIT();
	if (!granularity || !valid_properties(properties) || (unsigned)option > 1)
		return CUDA_ERROR_INVALID_VALUE;
	*granularity = BLOCK;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *properties,
							   CUmemGenericAllocationHandle number)
{
	NEED_INIT();
	driver_lock();
	const struct handle *handle = virtual_find(number);
	if (handle && properties)
		*properties = handle->memory->properties;
	driver_unlock();
	return handle && properties ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemAddressReserve(CUdeviceptr *out, size_t bytes, size_t alignment, CUdeviceptr near,
					unsigned long long flags)
{
	NEED_INIT();
	(void)near; /* a wish */
	if (!out || !bytes || bytes % BLOCK || alignment & (alignment - 1) || flags)
		return CUDA_ERROR_INVALID_VALUE;
	struct range *range = malloc(sizeof *range);
	if (!range)
		return CUDA_ERROR_OUT_OF_MEMORY;
	driver_lock();
	*range = (struct range){.next = ranges, .bytes = bytes,
				.address = memory_reserve_addresses(bytes, alignment > BLOCK ? alignment : BLOCK)};
	ranges = range;
	*out = range->address;
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes)
{
	NEED_INIT();
	driver_lock();
	struct range **link = &ranges;
	while (*link && ((*link)->address != address || (*link)->bytes != bytes))
		link = &(*link)->next;
	struct range *range = *link;
	if (range && any_mapped(address, bytes))
		range = NULL;
	if (range)
		*link = range->next;
	driver_unlock();
	free(range);
	return range ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle number,
			     unsigned long long flags)
{
	NEED_INIT();
	if (!bytes || address % BLOCK || bytes % BLOCK || flags)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	struct handle *handle = virtual_find(number);
	CUresult result = handle ? map(address, bytes, offset, handle) : CUDA_ERROR_INVALID_VALUE;
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemUnmap(CUdeviceptr address, size_t bytes)
{
	NEED_INIT();
	driver_lock();
	bool whole = bytes && wholly_mapped(address, bytes);
	if (whole)
		unmap(address, bytes);
	driver_unlock();
	return whole ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *description, size_t count)
{
	NEED_INIT();
	driver_lock();
	bool whole = bytes && description && count && wholly_mapped(address, bytes);
	driver_unlock();
	return whole ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuMemExportToShareableHandle(void *shared, CUmemGenericAllocationHandle number,
						 CUmemAllocationHandleType type, unsigned long long flags)
{
	NEED_INIT();
	if (!shared || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || flags)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	struct handle *handle = virtual_find(number);
	CUresult result = handle ? export(handle->memory, shared) : CUDA_ERROR_INVALID_VALUE;
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *out, void *shared,
						   CUmemAllocationHandleType type)
{
	NEED_INIT();
	if (!out || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUresult result = import((int)(intptr_t)shared, out);
	driver_unlock();
	return result;
}
