/*
 * What the driver takes for itself counts to the slice, as it does to the device. NVML is asked for what this process uses;
 * where it cannot see the process (another pid namespace), for what the device uses.
 *
 * What is charged otherwise meanwhile, by threads that allocate, is taken off: compared are not two uses but two differences
 * between use and charges. An allocation that is under way at either moment, charged and not taken yet, is in one of the two
 * only, and makes the difference wrong by what it is.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27): contexts of 518 MiB, modules and libraries of 256 MiB, and 24 modules
 * loaded by eight threads were charged what NVML told of the process after each, to the byte.
 */
#include "footprint.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define PROCESSES 256

struct row {
	const void *thing; /* NULL: the local memory of the context */
	CUcontext context;
	unsigned position;
	uint64_t bytes;
	bool paid;
};

/* Held over the driver's call, which lets nobody else load into the same context either; the last is for devices outside. */
static pthread_mutex_t loading[HETERO_DEVICES + 1];

static pthread_mutex_t lock;
static struct row *rows;
static size_t count, room;

/* The child of a fork has no context, and its parent's charges are its parent's. */
static void begin_empty(void)
{
	for (unsigned position = 0; position <= HETERO_DEVICES; position++)
		pthread_mutex_init(&loading[position], NULL);
	pthread_mutex_init(&lock, NULL);
	count = 0;
}

static void prepare(void)
{
	begin_empty();
	pthread_atfork(NULL, NULL, begin_empty);
}

static void prepare_once(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, prepare);
}

static void take_lock(void)
{
	prepare_once();
	pthread_mutex_lock(&lock);
}

static bool nvml_usable(void)
{
	static _Atomic int ready; /* 0 not tried, 1 usable, 2 not */
	const struct nvml_real *real = nvml_real();
	if (!ready)
		ready = real->nvmlInit_v2 && real->nvmlDeviceGetHandleByPciBusId_v2 && real->nvmlInit_v2() == NVML_SUCCESS
				? 1
				: 2;
	return ready == 1;
}

static bool find_device(CUdevice device, nvmlDevice_t *found)
{
	static _Atomic(nvmlDevice_t) known[HETERO_DEVICES];
	bool kept = device >= 0 && device < (CUdevice)HETERO_DEVICES;
	char bus_id[32];
	*found = kept ? known[device] : NULL;
	if (*found)
		return true;
	if (!nvml_usable() || !cuda_real()->cuDeviceGetPCIBusId ||
	    cuda_real()->cuDeviceGetPCIBusId(bus_id, sizeof bus_id, device) != CUDA_SUCCESS ||
	    nvml_real()->nvmlDeviceGetHandleByPciBusId_v2(bus_id, found) != NVML_SUCCESS)
		return false;
	if (kept)
		known[device] = *found;
	return true;
}

static bool is_self(unsigned int pid)
{
	const struct hetero_region_slot *slot = slice_region() ? hetero_slot_join(slice_region()) : NULL;
	return pid == (unsigned int)getpid() || (slot && slot->host_pid && pid == slot->host_pid);
}

static bool own_use(nvmlDevice_t device, int64_t *bytes)
{
	nvmlProcessInfo_t processes[PROCESSES];
	unsigned int listed = PROCESSES;
	const struct nvml_real *real = nvml_real();
	if (!real->nvmlDeviceGetComputeRunningProcesses_v3 ||
	    real->nvmlDeviceGetComputeRunningProcesses_v3(device, &listed, processes) != NVML_SUCCESS)
		return false;
	for (unsigned int i = 0; i < listed; i++)
		if (is_self(processes[i].pid)) {
			*bytes = (int64_t)processes[i].usedGpuMemory;
			return true;
		}
	return false;
}

static int64_t charged(unsigned position)
{
	struct hetero_region *region = slice_region();
	const struct hetero_region_slot *slot = region ? hetero_slot_join(region) : NULL;
	if (!slot || position >= HETERO_DEVICES)
		return 0;
	return (int64_t)hetero_ledger_held(region, (unsigned)(slot - region->slots), position);
}

static struct footprint now(CUdevice device)
{
	struct footprint footprint = {.device = device, .position = slice_device(device)};
	nvmlDevice_t found;
	nvmlMemory_t memory = {0};
	if (!find_device(device, &found))
		return footprint;
	footprint.own_seen = own_use(found, &footprint.own);
	if (!footprint.own_seen && nvml_real()->nvmlDeviceGetMemoryInfo &&
	    nvml_real()->nvmlDeviceGetMemoryInfo(found, &memory) == NVML_SUCCESS)
		footprint.card = (int64_t)memory.used;
	footprint.own -= charged(footprint.position);
	footprint.card -= charged(footprint.position);
	return footprint;
}

struct footprint footprint_begin(CUdevice device)
{
	unsigned position = slice_device(device);
	prepare_once();
	pthread_mutex_lock(&loading[position < HETERO_DEVICES ? position : HETERO_DEVICES]);
	return now(device);
}

void footprint_end(const struct footprint *before)
{
	pthread_mutex_unlock(&loading[before->position < HETERO_DEVICES ? before->position : HETERO_DEVICES]);
}

/* A process that was not listed before had no context there. */
static uint64_t growth(const struct footprint *before)
{
	struct footprint after = now(before->device);
	int64_t grown = after.own_seen ? after.own - before->own : after.card - before->card;
	return grown > 0 ? (uint64_t)grown : 0;
}

/* With the lock held. */
static struct row *find(const void *thing, CUcontext context)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].thing == thing && rows[i].context == context)
			return &rows[i];
	return NULL;
}

static struct row *add(const struct row *row)
{
	if (count == room) {
		size_t larger = room ? 2 * room : 64;
		struct row *moved = realloc(rows, larger * sizeof *rows);
		if (!moved)
			return NULL;
		rows = moved;
		room = larger;
	}
	rows[count] = *row;
	return &rows[count++];
}

/* The local memory of its threads is the context's. */
static void tell(const struct row *row, int64_t bytes)
{
	bool context = !row->thing || row->thing == row->context;
	if (row->paid && slice_region())
		hetero_memory_tell(slice_region(), row->position, context ? HETERO_MEMORY_CONTEXT : HETERO_MEMORY_MODULE,
				   bytes);
}

static void drop(size_t index)
{
	if (rows[index].paid)
		slice_release(rows[index].position, rows[index].bytes);
	tell(&rows[index], -(int64_t)rows[index].bytes);
	rows[index] = rows[--count];
}

bool footprint_charge(const struct footprint *before, const void *thing, CUcontext context)
{
	take_lock();
	struct row row = {
		.thing = thing, .context = context, .position = before->position, .bytes = growth(before)};
	row.paid = slice_reserve(row.position, row.bytes);
	bool kept = add(&row) != NULL;
	if (kept)
		tell(&row, (int64_t)row.bytes);
	else if (row.paid)
		slice_release(row.position, row.bytes);
	pthread_mutex_unlock(&lock);
	return kept && row.paid;
}

enum footprint_state footprint_of(const void *thing, CUcontext context)
{
	take_lock();
	struct row *row = find(thing, context);
	if (row && !row->paid) {
		row->paid = slice_reserve(row->position, row->bytes);
		tell(row, (int64_t)row->bytes);
	}
	enum footprint_state state = !row ? FOOTPRINT_NONE : row->paid ? FOOTPRINT_PAID : FOOTPRINT_OWED;
	pthread_mutex_unlock(&lock);
	return state;
}

bool footprint_elsewhere(const void *thing, CUcontext context)
{
	bool found = false;
	take_lock();
	for (size_t i = 0; i < count; i++)
		found |= rows[i].thing == thing && rows[i].context != context;
	pthread_mutex_unlock(&lock);
	return found;
}

bool footprint_local(CUcontext context, unsigned position, uint64_t bytes, uint64_t *grown)
{
	const struct row none = {.context = context, .position = position, .paid = true};
	take_lock();
	struct row *row = find(NULL, context);
	if (!row)
		row = add(&none);
	*grown = row && bytes > row->bytes ? bytes - row->bytes : 0;
	bool fits = row && (!*grown || slice_reserve(position, *grown));
	if (fits) {
		row->bytes += *grown;
		tell(row, (int64_t)*grown);
	}
	pthread_mutex_unlock(&lock);
	return fits;
}

void footprint_local_undo(CUcontext context, uint64_t grown)
{
	take_lock();
	struct row *row = find(NULL, context);
	if (row && row->bytes >= grown) {
		row->bytes -= grown;
		slice_release(row->position, grown);
		tell(row, -(int64_t)grown);
	}
	pthread_mutex_unlock(&lock);
}

void footprint_forget(const void *thing)
{
	take_lock();
	for (size_t i = count; i-- > 0;)
		if (rows[i].thing == thing)
			drop(i);
	pthread_mutex_unlock(&lock);
}

void footprint_forget_context(CUcontext context)
{
	take_lock();
	for (size_t i = count; i-- > 0;)
		if (rows[i].context == context)
			drop(i);
	pthread_mutex_unlock(&lock);
}

bool footprint_any_context(unsigned position)
{
	bool any = false;
	take_lock();
	for (size_t i = 0; i < count; i++)
		any |= rows[i].position == position && rows[i].thing == rows[i].context;
	pthread_mutex_unlock(&lock);
	return any;
}

bool footprint_position(CUcontext context, unsigned *position)
{
	take_lock();
	const struct row *row = find(context, context);
	if (row)
		*position = row->position;
	pthread_mutex_unlock(&lock);
	return row != NULL;
}

bool footprint_context(CUcontext *context, CUdevice *device)
{
	const struct cuda_real *real = cuda_real();
	const struct hetero_region *region = slice_region();
	if (!region || !real->cuCtxGetCurrent || real->cuCtxGetCurrent(context) != CUDA_SUCCESS || !*context ||
	    !real->cuCtxGetDevice || real->cuCtxGetDevice(device) != CUDA_SUCCESS)
		return false;
	unsigned position = slice_device(*device);
	return position < HETERO_DEVICES && region->devices[position].memory_limit;
}
