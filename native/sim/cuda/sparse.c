/* Sparse arrays: parts of them that have physical memory. They keep it, as a mapping to an address does. */
#include "virtual.h"

#include <stdlib.h>
#include <string.h>

/* A part of a sparse array that has memory. */
struct part {
	struct part *next;
	CUarrayMapInfo info;
	struct handle *handle;
};

static struct part *parts;

static bool is_part(const struct part *part, const CUarrayMapInfo *info)
{
	return part->info.resource.array == info->resource.array &&
	       memcmp(&part->info.subresource, &info->subresource, sizeof info->subresource) == 0;
}

/* Of one part, or of the whole array when none is given. */
static void drop_parts(const void *array, const CUarrayMapInfo *info)
{
	for (struct part **link = &parts; *link;) {
		struct part *part = *link;
		if (info ? !is_part(part, info) : (const void *)part->info.resource.array != array) {
			link = &part->next;
			continue;
		}
		*link = part->next;
		virtual_let_go(part->handle);
		free(part);
	}
}

void virtual_forget_array(const void *array)
{
	drop_parts(array, NULL);
}

static CUresult map_part(const CUarrayMapInfo *info)
{
	struct handle *handle = virtual_find(info->memHandle.memHandle);
	struct part *part = handle ? malloc(sizeof *part) : NULL;
	if (!part)
		return handle ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
	virtual_refer(handle); /* before what was there goes: it may be the same */
	drop_parts(NULL, info);
	*part = (struct part){parts, *info, handle};
	parts = part;
	return CUDA_SUCCESS;
}

/* Nothing is queued: what a part's memory is, is known from now on. */
static CUresult map_parts(CUarrayMapInfo *list, unsigned int count, CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = list && count ? stream_tail(stream, per_thread, &context, &tail) : CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	for (unsigned int i = 0; i < count && result == CUDA_SUCCESS; i++) {
		if (list[i].memOperationType == CU_MEM_OPERATION_TYPE_MAP)
			result = map_part(&list[i]);
		else
			drop_parts(NULL, &list[i]);
	}
	driver_unlock();
	return result;
}

SIM_EXPORT CUresult cuMemMapArrayAsync(CUarrayMapInfo *list, unsigned int count, CUstream stream)
{
	return map_parts(list, count, stream, false);
}

SIM_EXPORT CUresult cuMemMapArrayAsync_ptsz(CUarrayMapInfo *list, unsigned int count, CUstream stream)
{
	return map_parts(list, count, stream, true);
}
