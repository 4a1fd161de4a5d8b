/* The slice of this process: read from the environment once, its region opened when it is first needed. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

static const struct hetero_option_names names = {
	.memory = "CUDA_DEVICE_MEMORY_LIMIT",
	.cores = "CUDA_DEVICE_SM_LIMIT",
	.policy = "HETERO_POLICY",
	.priority = "CUDA_TASK_PRIORITY",
	.oversubscribe = "CUDA_OVERSUBSCRIBE",
	.compute = "GPU_CORE_UTILIZATION_POLICY",
	.region = "CUDA_DEVICE_MEMORY_SHARED_CACHE",
	.log = "LIBCUDA_LOG_LEVEL",
};

static struct hetero_limits limits;
static struct hetero_region *_Atomic region; /* NULL until it is open, and when it cannot be opened */
static pthread_once_t options_read = PTHREAD_ONCE_INIT, region_opened = PTHREAD_ONCE_INIT;
static _Atomic int known; /* 0 not yet, 1 no slice, 2 a slice */

static void read_options(void)
{
	hetero_options_read(&names, &limits);
	atomic_store(&known, limits.any ? 2 : 1);
}

bool slice_limits(void)
{
	int state = atomic_load_explicit(&known, memory_order_acquire);
	if (__builtin_expect(!state, 0)) {
		pthread_once(&options_read, read_options);
		state = atomic_load(&known);
	}
	return state == 2;
}

static void open_region(void)
{
	if (!limits.malformed)
		region = hetero_region_open(limits.region, &limits);
}

struct hetero_region *slice_region(void)
{
	struct hetero_region *opened = atomic_load_explicit(&region, memory_order_acquire);
	if (__builtin_expect(opened != NULL, 1))
		return opened;
	if (!slice_limits())
		return NULL;
	pthread_once(&region_opened, open_region);
	return region;
}

void uuid_spell(const CUuuid *uuid, char *text)
{
	const unsigned char *byte = (const unsigned char *)uuid->bytes;
	snprintf(text, UUID_TEXT, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", byte[0],
		 byte[1], byte[2], byte[3], byte[4], byte[5], byte[6], byte[7], byte[8], byte[9], byte[10], byte[11],
		 byte[12], byte[13], byte[14], byte[15]);
}

bool slice_has_identities(void)
{
	struct hetero_region *held = slice_region();
	return held && *held->devices[0].uuid;
}

unsigned slice_device_by_uuid(const char *uuid)
{
	struct hetero_region *held = slice_region();
	for (unsigned position = 0; held && position < HETERO_DEVICES; position++)
		if (*held->devices[position].uuid && strcmp(held->devices[position].uuid, uuid) == 0)
			return position;
	return HETERO_DEVICES;
}

/* False when it is not known, which it may be later: before the driver has started it tells no identity. */
static bool find_position(CUdevice device, unsigned *position)
{
	const struct cuda_real *real = cuda_real();
	CUuuid uuid;
	char text[UUID_TEXT];
	*position = HETERO_DEVICES;
	if (slice_region() && !slice_has_identities()) {
		*position = (unsigned)device;
	} else if (slice_region()) {
		if (!real->cuDeviceGetUuid || real->cuDeviceGetUuid(&uuid, device) != CUDA_SUCCESS)
			return false;
		uuid_spell(&uuid, text);
		*position = slice_device_by_uuid(text);
	}
	return true;
}

unsigned slice_device(CUdevice device)
{
	static _Atomic unsigned char positions[HETERO_DEVICES]; /* 0: not looked up yet; else position + 1 */
	if (device < 0 || device >= (CUdevice)HETERO_DEVICES)
		return HETERO_DEVICES;
	unsigned known_as = atomic_load_explicit(&positions[device], memory_order_relaxed);
	if (known_as)
		return known_as - 1;
	unsigned position;
	if (find_position(device, &position))
		atomic_store(&positions[device], (unsigned char)(position + 1));
	return position;
}

bool slice_current_device(unsigned *position)
{
	const struct cuda_real *real = cuda_real();
	CUdevice device;
	if (!real->cuCtxGetDevice || real->cuCtxGetDevice(&device) != CUDA_SUCCESS)
		return false;
	*position = slice_device(device);
	return true;
}

bool slice_reserve(unsigned position, uint64_t bytes)
{
	struct hetero_region *held = slice_region();
	return held && hetero_memory_reserve(held, position, bytes);
}

CUresult slice_answered(unsigned position, CUresult result)
{
	struct hetero_region *held = slice_region();
	if (held && result == CUDA_ERROR_OUT_OF_MEMORY)
		hetero_memory_exhausted(held, position);
	return result;
}

void slice_release(unsigned position, uint64_t bytes)
{
	struct hetero_region *held = slice_region();
	if (held)
		hetero_memory_release(held, position, bytes);
}

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

uint64_t slice_total(unsigned position, uint64_t card)
{
	const struct hetero_region *held = slice_region();
	if (!held || position >= HETERO_DEVICES)
		return 0; /* as the next allocation will find */
	const struct hetero_region_device *device = &held->devices[position];
	uint64_t limit = device->memory_limit;
	return limit && (limit < card || device->flags & HETERO_DEVICE_OVERSUBSCRIBE) ? limit : card;
}

void slice_view(unsigned position, uint64_t *free_bytes, uint64_t *total)
{
	struct hetero_region *held = slice_region();
	if (!held || position >= HETERO_DEVICES) {
		*free_bytes = *total = 0; /* as the next allocation will find */
		return;
	}
	const struct hetero_region_device *device = &held->devices[position];
	uint64_t limit = device->memory_limit;
	if (!limit)
		return;
	memory_settle(position);
	uint64_t used = hetero_memory_used(held, position);
	uint64_t left = used < limit ? limit - used : 0; /* a limit may be lowered below what is held */
	bool beyond = device->flags & HETERO_DEVICE_OVERSUBSCRIBE;
	*total = beyond ? limit : least(*total, limit);
	*free_bytes = beyond ? left : least(*free_bytes, used < *total ? *total - used : 0);
}
