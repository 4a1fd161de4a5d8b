/*
 * Physical memory by handle. It stays the device's loss as long as anything refers to it: a reference of its handle, a
 * mapping, or a file descriptor that it was exported to; and so long it is charged, once. What another process exported
 * is charged to that one.
 *
 * One lock is held over the driver's calls, which the driver runs one by one as well: numbers of handles and addresses
 * come again as soon as they are free.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "blocks.h"
#include "memory.h"

struct physical {
	uint64_t bytes;
	unsigned position;
	unsigned handles; /* of this process */
	unsigned exports; /* descriptors that were open when last looked at */
};

struct handle {
	struct physical *memory; /* NULL: not charged to this process */
	uint64_t number;
	unsigned references, mappings;
};

/* A descriptor that memory was exported to. It is ours to see, not to close. */
struct export {
	struct export *next;
	struct physical *memory;
	int descriptor;
	dev_t device;
	ino_t inode;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct export *exports;

void virtual_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	exports = NULL;
}

/* From here to the hooks, with the lock held. */
static bool still_open(const struct export *export)
{
	struct stat status;
	return fstat(export->descriptor, &status) == 0 && status.st_dev == export->device &&
	       status.st_ino == export->inode;
}

/* Gives the charge back when nothing refers to the memory any more. */
static bool end_memory(struct physical *memory)
{
	if (memory->handles || memory->exports)
		return false;
	slice_release(memory->position, memory->bytes);
	free(memory);
	return true;
}

/* Looks which descriptors are closed by now; true when that made room on the device. */
static bool look_at_exports(unsigned position)
{
	bool room = false;
	for (struct export **link = &exports; *link;) {
		struct export *export = *link;
		if (still_open(export)) {
			link = &export->next;
			continue;
		}
		bool there = export->memory->position == position;
		*link = export->next;
		export->memory->exports--;
		room |= end_memory(export->memory) && there;
		free(export);
	}
	return room;
}

bool virtual_settle(unsigned position)
{
	if (!exports || pthread_mutex_trylock(&lock) != 0)
		return false;
	bool room = look_at_exports(position);
	pthread_mutex_unlock(&lock);
	return room;
}

static struct handle *find_handle(CUmemGenericAllocationHandle number)
{
	struct charge row;
	return charges_find(CHARGE_HANDLE, number, &row) ? row.object : NULL;
}

static struct handle *add_handle(CUmemGenericAllocationHandle number, struct physical *memory)
{
	struct handle *handle = calloc(1, sizeof *handle);
	struct charge row = {.key = number, .object = handle};
	if (!handle || !charges_add(CHARGE_HANDLE, &row)) {
		free(handle);
		return NULL;
	}
	*handle = (struct handle){.memory = memory, .number = number, .references = 1};
	if (memory)
		memory->handles++;
	return handle;
}

static void end_handle(struct handle *handle)
{
	struct charge row;
	struct physical *memory = handle->memory;
	if (handle->references || handle->mappings)
		return;
	charges_take(CHARGE_HANDLE, handle->number, &row);
	free(handle);
	if (!memory)
		return;
	memory->handles--;
	if (memory->exports && !memory->handles)
		look_at_exports(memory->position);
	else
		end_memory(memory);
}

static bool remember(CUmemGenericAllocationHandle number, uint64_t bytes, unsigned position)
{
	struct physical *memory = calloc(1, sizeof *memory);
	if (!memory)
		return false;
	*memory = (struct physical){.bytes = bytes, .position = position};
	if (add_handle(number, memory))
		return true;
	free(memory);
	return false;
}

/* The device is the one in the properties, whatever context is current; host memory is not the slice's. */
CUresult hook_mem_create(CUresult (*real)(CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *,
					  unsigned long long),
			 CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *properties,
			 unsigned long long flags)
{
	if (!handle || !bytes || !properties || properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return real(handle, bytes, properties, flags);
	unsigned position = slice_device(properties->location.id);
	uint64_t room = block_room(bytes);
	if (!room_reserve(position, room))
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&lock);
	CUresult result = slice_answered(position, real(handle, bytes, properties, flags));
	if (result == CUDA_SUCCESS && !remember(*handle, room, position)) {
		cuda_real()->cuMemRelease(*handle);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&lock);
	if (result != CUDA_SUCCESS)
		slice_release(position, room);
	return result;
}

CUresult hook_mem_release(CUresult (*real)(CUmemGenericAllocationHandle), CUmemGenericAllocationHandle number)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(number);
	struct handle *handle = result == CUDA_SUCCESS ? find_handle(number) : NULL;
	if (handle && handle->references) {
		handle->references--;
		end_handle(handle);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

CUresult hook_mem_retain(CUresult (*real)(CUmemGenericAllocationHandle *, void *), CUmemGenericAllocationHandle *number,
			 void *address)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(number, address);
	struct handle *handle = result == CUDA_SUCCESS ? find_handle(*number) : NULL;
	if (handle)
		handle->references++;
	pthread_mutex_unlock(&lock);
	return result;
}

/* A mapping that cannot be remembered would end its memory's charge too early: it is not made. */
static CUresult note_mapping(CUdeviceptr address, size_t bytes, struct handle *handle)
{
	struct charge row = {.key = address, .bytes = bytes, .object = handle};
	if (!charges_add(CHARGE_MAPPING, &row)) {
		cuda_real()->cuMemUnmap(address, bytes);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (handle)
		handle->mappings++;
	return CUDA_SUCCESS;
}

CUresult hook_mem_map(CUresult (*real)(CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long),
		      CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle number,
		      unsigned long long flags)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(address, bytes, offset, number, flags);
	if (result == CUDA_SUCCESS)
		result = note_mapping(address, bytes, find_handle(number));
	pthread_mutex_unlock(&lock);
	return result;
}

void *virtual_pin(CUmemGenericAllocationHandle number)
{
	pthread_mutex_lock(&lock);
	struct handle *handle = find_handle(number);
	if (handle)
		handle->mappings++;
	pthread_mutex_unlock(&lock);
	return handle;
}

void virtual_unpin(void *pin)
{
	struct handle *handle = pin;
	pthread_mutex_lock(&lock);
	handle->mappings--;
	end_handle(handle);
	pthread_mutex_unlock(&lock);
}

/* Several mappings that adjoin may end in one call. */
static void forget_mappings(CUdeviceptr address, size_t bytes)
{
	struct charge row;
	CUdeviceptr end = address + bytes;
	for (CUdeviceptr at = address; at < end && charges_take(CHARGE_MAPPING, at, &row); at += row.bytes) {
		struct handle *handle = row.object;
		if (!handle)
			continue;
		handle->mappings--;
		end_handle(handle);
	}
}

CUresult hook_mem_unmap(CUresult (*real)(CUdeviceptr, size_t), CUdeviceptr address, size_t bytes)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(address, bytes);
	if (result == CUDA_SUCCESS)
		forget_mappings(address, bytes);
	pthread_mutex_unlock(&lock);
	return result;
}

static void note_export(struct handle *handle, int descriptor)
{
	struct stat status;
	struct export *export = malloc(sizeof *export);
	if (!export || fstat(descriptor, &status) != 0) {
		free(export);
		return;
	}
	*export = (struct export){exports, handle->memory, descriptor, status.st_dev, status.st_ino};
	exports = export;
	handle->memory->exports++;
}

CUresult hook_mem_export(CUresult (*real)(void *, CUmemGenericAllocationHandle, CUmemAllocationHandleType,
					  unsigned long long),
			 void *shared, CUmemGenericAllocationHandle number, CUmemAllocationHandleType type,
			 unsigned long long flags)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(shared, number, type, flags);
	struct handle *handle = result == CUDA_SUCCESS ? find_handle(number) : NULL;
	if (handle && handle->memory && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		note_export(handle, *(int *)shared);
	pthread_mutex_unlock(&lock);
	return result;
}

/* Memory of this process that comes back through a descriptor. */
static struct physical *exported_to(int descriptor)
{
	for (const struct export *export = exports; export; export = export->next)
		if (export->descriptor == descriptor && still_open(export))
			return export->memory;
	return NULL;
}

CUresult hook_mem_import(CUresult (*real)(CUmemGenericAllocationHandle *, void *, CUmemAllocationHandleType),
			 CUmemGenericAllocationHandle *number, void *shared, CUmemAllocationHandleType type)
{
	pthread_mutex_lock(&lock);
	CUresult result = real(number, shared, type);
	struct physical *own = NULL;
	if (result == CUDA_SUCCESS && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		own = exported_to((int)(intptr_t)shared);
	if (own && !add_handle(*number, own)) {
		cuda_real()->cuMemRelease(*number);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_unlock(&lock);
	return result;
}
