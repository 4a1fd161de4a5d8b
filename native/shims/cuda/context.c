/*
 * Contexts: what the driver takes of the card for one counts to the slice, as it does to the card. The driver does not say how
 * much that is, so NVML is asked for what this process uses before and after; where it cannot see the process (another pid
 * namespace), for what the card uses.
 */
#include <unistd.h>

#include "current.h"
#include "samples.h"
#include "shim.h"

#define PROCESSES 256
#define NOT_SEEN UINT64_MAX

static bool nvml_device(CUdevice device, nvmlDevice_t *found)
{
	const struct nvml_real *real = nvml_real();
	char bus_id[32];
	static _Atomic int ready; /* 0 not tried, 1 usable, 2 not */
	if (!ready)
		ready = real->nvmlInit_v2 && real->nvmlDeviceGetHandleByPciBusId_v2 && real->nvmlInit_v2() == NVML_SUCCESS
				? 1
				: 2;
	return ready == 1 && cuda_real()->cuDeviceGetPCIBusId(bus_id, sizeof bus_id, device) == CUDA_SUCCESS &&
	       real->nvmlDeviceGetHandleByPciBusId_v2(bus_id, found) == NVML_SUCCESS;
}

static uint64_t own_use(nvmlDevice_t device)
{
	nvmlProcessInfo_t processes[PROCESSES];
	unsigned int count = PROCESSES;
	const struct nvml_real *real = nvml_real();
	if (!real->nvmlDeviceGetComputeRunningProcesses_v3 ||
	    real->nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes) != NVML_SUCCESS)
		return NOT_SEEN;
	for (unsigned int i = 0; i < count; i++)
		if (processes[i].pid == (unsigned int)getpid())
			return processes[i].usedGpuMemory;
	return NOT_SEEN;
}

struct use {
	uint64_t own, card;
};

static struct use use_of(CUdevice device)
{
	struct use use = {.own = NOT_SEEN};
	nvmlDevice_t found;
	nvmlMemory_t memory = {0};
	if (!nvml_device(device, &found))
		return use;
	use.own = own_use(found);
	if (nvml_real()->nvmlDeviceGetMemoryInfo && nvml_real()->nvmlDeviceGetMemoryInfo(found, &memory) == NVML_SUCCESS)
		use.card = memory.used;
	return use;
}

static uint64_t taken(CUdevice device, struct use before)
{
	struct use after = use_of(device);
	uint64_t own_before = before.own == NOT_SEEN ? 0 : before.own;
	if (after.own != NOT_SEEN)
		return after.own > own_before ? after.own - own_before : 0;
	return after.card > before.card ? after.card - before.card : 0;
}

/* False when the slice has no room for what the context took: then it must be undone. */
static bool charge(uint64_t key, CUdevice device, struct use before)
{
	struct charge row = {.key = key, .bytes = taken(device, before), .position = slice_device(device)};
	if (!slice_reserve(row.position, row.bytes))
		return false;
	if (!charges_add(CHARGE_CONTEXT, &row))
		slice_release(row.position, row.bytes);
	return true;
}

static void discharge(uint64_t key)
{
	struct charge row;
	if (charges_take(CHARGE_CONTEXT, key, &row))
		slice_release(row.position, row.bytes);
}

static bool primary_active(CUdevice device)
{
	unsigned int flags;
	int active = 0;
	return cuda_real()->cuDevicePrimaryCtxGetState(device, &flags, &active) == CUDA_SUCCESS && active;
}

/* No context has an address this small: primary contexts are charged under their device's number. */
static uint64_t primary_key(CUdevice device)
{
	return (uint64_t)device + 1;
}

CUresult hook_primary_ctx_retain(CUresult (*real)(CUcontext *, CUdevice), CUcontext *context, CUdevice device)
{
	if (primary_active(device))
		return real(context, device);
	struct use before = use_of(device);
	CUresult result = real(context, device);
	if (result != CUDA_SUCCESS || charge(primary_key(device), device, before))
		return result;
	cuda_real()->cuDevicePrimaryCtxRelease_v2(device);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

/* Releases and resets: what counts is whether the context is still there. */
CUresult hook_primary_ctx_release(CUresult (*real)(CUdevice), CUdevice device)
{
	samples_forget();
	CUresult result = real(device);
	current_forget();
	if (result == CUDA_SUCCESS && !primary_active(device))
		discharge(primary_key(device));
	return result;
}

static CUresult created(CUresult result, const CUcontext *context, CUdevice device, struct use before)
{
	current_forget(); /* a new context is current at once */
	if (result != CUDA_SUCCESS || charge((uint64_t)(uintptr_t)*context, device, before))
		return result;
	cuda_real()->cuCtxDestroy_v2(*context);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult hook_ctx_create(CUresult (*real)(CUcontext *, unsigned int, CUdevice), CUcontext *context, unsigned int flags,
			 CUdevice device)
{
	struct use before = use_of(device);
	return created(real(context, flags, device), context, device, before);
}

CUresult hook_ctx_create_affinity(CUresult (*real)(CUcontext *, CUexecAffinityParam *, int, unsigned int, CUdevice),
				  CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned int flags,
				  CUdevice device)
{
	struct use before = use_of(device);
	return created(real(context, affinity, count, flags, device), context, device, before);
}

CUresult hook_ctx_create_params(CUresult (*real)(CUcontext *, CUctxCreateParams *, unsigned int, CUdevice),
				CUcontext *context, CUctxCreateParams *params, unsigned int flags, CUdevice device)
{
	struct use before = use_of(device);
	return created(real(context, params, flags, device), context, device, before);
}

CUresult hook_ctx_destroy(CUresult (*real)(CUcontext), CUcontext context)
{
	samples_forget();
	CUresult result = real(context);
	current_forget();
	if (result == CUDA_SUCCESS)
		discharge((uint64_t)(uintptr_t)context);
	return result;
}
