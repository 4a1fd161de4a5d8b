/*
 * Physical memory in sparse arrays. What is mapped there stays the device's loss when its handle is released, as with a mapping to an
 * address. A part that is unmapped as it was mapped, or the end of the array, ends that; parts unmapped otherwise stay charged
 * until the array's end, which is too long rather than too short.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct binding {
	struct binding *next;
	CUarrayMapInfo part; /* resource and subresource alone count */
	void *handle;
	unsigned position; /* of the device whose context it was made in */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct binding *_Atomic bindings;

void sparse_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	bindings = NULL;
}

static bool same_part(const CUarrayMapInfo *one, const CUarrayMapInfo *other)
{
	return one->resource.array == other->resource.array && one->subresourceType == other->subresourceType &&
	       memcmp(&one->subresource, &other->subresource, sizeof one->subresource) == 0;
}

static void end_binding(struct binding *binding)
{
	if (binding->handle)
		virtual_unpin(binding->handle);
	free(binding);
}

/* What ends: a part, else an array, else all on a device. */
struct end {
	const CUarrayMapInfo *part;
	const void *array;
	unsigned position;
};

static bool ends(const struct binding *binding, const struct end *end)
{
	if (end->part)
		return same_part(&binding->part, end->part);
	return end->array ? binding->part.resource.array == end->array : binding->position == end->position;
}

/* With the lock held. */
static void unbind(const struct end *end)
{
	struct binding *kept = NULL;
	for (struct binding *binding = bindings, *next; binding; binding = next) {
		next = binding->next;
		if (ends(binding, end)) {
			end_binding(binding);
			continue;
		}
		binding->next = kept;
		kept = binding;
	}
	bindings = kept;
}

static void unbind_all(const struct end *end)
{
	if (!bindings)
		return;
	pthread_mutex_lock(&lock);
	unbind(end);
	pthread_mutex_unlock(&lock);
}

void sparse_array_ended(const void *array)
{
	unbind_all(&(struct end){.array = array});
}

void sparse_context_ended(unsigned position)
{
	unbind_all(&(struct end){.position = position});
}

/* One binding for each part that is to be mapped, its memory pinned already. NULL without memory. */
static struct binding *prepare(const CUarrayMapInfo *list, unsigned int count, bool *good)
{
	struct binding *prepared = NULL;
	unsigned position = HETERO_DEVICES;
	slice_current_device(&position);
	*good = true;
	for (unsigned int i = 0; i < count && *good; i++) {
		if (list[i].memOperationType != CU_MEM_OPERATION_TYPE_MAP)
			continue;
		struct binding *binding = malloc(sizeof *binding);
		*good = binding != NULL;
		if (!binding)
			break;
		*binding = (struct binding){prepared, list[i], virtual_pin(list[i].memHandle.memHandle),
					     position};
		prepared = binding;
	}
	return prepared;
}

static void discard(struct binding *prepared)
{
	while (prepared) {
		struct binding *next = prepared->next;
		end_binding(prepared);
		prepared = next;
	}
}

static void bind(struct binding *prepared, const CUarrayMapInfo *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		unbind(&(struct end){.part = &list[i]}); /* what was there before */
	while (prepared) {
		struct binding *next = prepared->next;
		prepared->next = bindings;
		bindings = prepared;
		prepared = next;
	}
}

CUresult hook_mem_map_array(CUresult (*real)(CUarrayMapInfo *, unsigned int, CUstream), CUarrayMapInfo *list,
			    unsigned int count, CUstream stream)
{
	bool good;
	if (!list)
		return real(list, count, stream);
	pthread_mutex_lock(&lock);
	struct binding *prepared = prepare(list, count, &good);
	CUresult result = good ? real(list, count, stream) : CUDA_ERROR_OUT_OF_MEMORY;
	if (result == CUDA_SUCCESS)
		bind(prepared, list, count);
	else
		discard(prepared);
	pthread_mutex_unlock(&lock);
	return result;
}
