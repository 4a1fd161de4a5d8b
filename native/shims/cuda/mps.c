/*
 * MPS lets kernels of several processes run on a device at the same time, and may hold each process to a part of its
 * multiprocessors. A kernel then takes as much longer as its part is smaller, so the time that it takes is charged by
 * its part: else a slice of 30 percent would get 30 percent of the time of 30 percent of the processors.
 *
 * The part is a variable that the driver reads at start, and which a program without MPS may have as well; so the driver is asked
 * whether this device's contexts are shared by MPS. Source: cuda.h since 12.0 (CU_DEVICE_ATTRIBUTE_MPS_ENABLED), and NVIDIA's
 * page on MPS. Seen on simulation only.
 */
#include "mps.h"

#include <stdlib.h>

#include "shim.h"

static _Atomic unsigned told[HETERO_DEVICES]; /* 0: not yet; else 1 + percent, 101 for all of the device */

static bool shared_by_mps(void)
{
	const struct cuda_real *real = cuda_real();
	CUdevice device;
	int enabled = 0;
	return real->cuCtxGetDevice && real->cuCtxGetDevice(&device) == CUDA_SUCCESS && real->cuDeviceGetAttribute &&
	       real->cuDeviceGetAttribute(&enabled, CU_DEVICE_ATTRIBUTE_MPS_ENABLED, device) == CUDA_SUCCESS && enabled;
}

/* "30" or "30.5", as MPS takes it; what is below one percent counts as one. */
static unsigned part(void)
{
	const char *text = getenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
	double percent = text ? strtod(text, NULL) : 0;
	if (!(percent > 0 && percent < 100) || !shared_by_mps())
		return 100;
	return percent < 1 ? 1 : (unsigned)(percent + 0.5);
}

void mps_tell(unsigned position)
{
	if (atomic_load_explicit(&told[position], memory_order_relaxed))
		return;
	unsigned percent = part();
	hetero_pacer_part(position, percent);
	atomic_store_explicit(&told[position], 1 + percent, memory_order_relaxed);
}

bool mps_confines(unsigned position)
{
	unsigned known = atomic_load_explicit(&told[position], memory_order_relaxed);
	return known && known <= 100;
}
