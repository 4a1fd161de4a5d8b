/*
 * Who else is on a device, by NVML's list of its processes; and the time that this process really had of it, by NVML's samples of
 * utilisation, against what it was charged: the rate between the two corrects what no measurement of a single kernel can
 * tell, which is time sliced out and kernels that run beside each other. Both where NVML tells them; else a process counts as
 * in company, and is charged as measured.
 *
 * A look costs 30 to 80 us (H100, driver 580), once in a second and only where compute is limited.
 */
#include "contention.h"

#include "samples.h"

#include <unistd.h>

#define PERIOD_NS 1000000000ull
#define MOST_PROCESSES 256
/* Utilisation comes in whole percents and lags: less than this share of the period tells nothing... */
#define LEAST_USE 50
/* ...and alone on the device measurements are right, unless kernels ran beside each other: then they are too much by far, at one
 * look after the other. */
#define BESIDE 0.75
#define LEAST_RATE 0.2
#define MOST_RATE 4
#define FIRST_RATE 0.5

static struct look {
	_Atomic uint64_t next_ns; /* CLOCK_MONOTONIC; who moves it on is the one who looks */
	_Atomic bool alone;
	nvmlDevice_t device;
	uint64_t looked_ns;
	unsigned long long newest; /* time stamp of the last sample, us */
	int64_t used_ns;           /* charged by then, for what had run */
	double amiss_ns;           /* charged too much by then, and not given back; half of it goes back at each look */
	bool beside;               /* at the look before, kernels seemed to have run beside each other */
	double real_sum, used_sum; /* of the last looks, ns */
	double rate;               /* 0: not known yet */
} looks[HETERO_DEVICES];

bool contention_alone(unsigned position)
{
	return atomic_load_explicit(&looks[position].alone, memory_order_relaxed);
}

static bool find_device(struct look *look)
{
	const struct nvml_real *nvml = nvml_real();
	const struct cuda_real *cuda = cuda_real();
	char bus_id[32];
	CUdevice device;
	if (look->device)
		return true;
	return nvml->nvmlInit_v2 && nvml->nvmlDeviceGetHandleByPciBusId_v2 && nvml->nvmlInit_v2() == NVML_SUCCESS &&
	       cuda->cuCtxGetDevice(&device) == CUDA_SUCCESS &&
	       cuda->cuDeviceGetPCIBusId(bus_id, sizeof bus_id, device) == CUDA_SUCCESS &&
	       nvml->nvmlDeviceGetHandleByPciBusId_v2(bus_id, &look->device) == NVML_SUCCESS;
}

/* A list without anybody is one that is not for this process to see. */
static bool nobody_else(nvmlDevice_t device)
{
	nvmlProcessInfo_t processes[MOST_PROCESSES];
	unsigned int count = MOST_PROCESSES;
	const struct nvml_real *nvml = nvml_real();
	return nvml->nvmlDeviceGetComputeRunningProcesses_v3 &&
	       nvml->nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes) == NVML_SUCCESS && count == 1;
}

/* Percent of the device's time since the last look; false when the samples tell nothing of this process. */
static bool utilisation(struct look *look, double *percent)
{
	nvmlProcessUtilizationSample_t samples[MOST_PROCESSES];
	unsigned int count = MOST_PROCESSES, own = 0, sum = 0;
	const struct nvml_real *nvml = nvml_real();
	if (!nvml->nvmlDeviceGetProcessUtilization ||
	    nvml->nvmlDeviceGetProcessUtilization(look->device, samples, &count, look->newest) != NVML_SUCCESS)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		look->newest = samples[i].timeStamp > look->newest ? samples[i].timeStamp : look->newest;
		if (samples[i].pid != (unsigned int)getpid())
			continue;
		sum += samples[i].smUtil;
		own++;
	}
	*percent = own ? (double)sum / own : 0;
	return own > 0;
}

/* By the last looks together, the latest most. */
static double rate_of(struct look *look, double real_ns, double used_ns)
{
	look->real_sum = look->real_sum / 2 + real_ns;
	look->used_sum = look->used_sum / 2 + used_ns;
	double rate = look->real_sum / look->used_sum;
	bool beside = real_ns < used_ns * BESIDE, again = beside && look->beside;
	look->beside = beside;
	if (contention_alone((unsigned)(look - looks)) && !again)
		return 1;
	return rate < LEAST_RATE ? LEAST_RATE : rate > MOST_RATE ? MOST_RATE : rate;
}

/*
 * From now on the new rate is charged; and what was charged too much or too little since the last look is made good. The
 * first time, the device's answer may be of a time in which this process did not run yet: it is half believed.
 */
static void settle(struct hetero_region *region, struct look *look, double real_ns, double used_ns)
{
	unsigned position = (unsigned)(look - looks);
	bool first = look->rate == 0;
	double charged_ns = used_ns * look->rate;
	look->rate = rate_of(look, real_ns, used_ns);
	look->rate = first && look->rate < FIRST_RATE ? FIRST_RATE : look->rate;
	hetero_pacer_rate(position, look->rate);
	look->amiss_ns = first || look->rate == 1 ? 0 : look->amiss_ns + charged_ns - real_ns;
	hetero_pacer_correct(region, position, (int64_t)(look->amiss_ns / 2));
	look->amiss_ns -= look->amiss_ns / 2;
}

static void compare(struct hetero_region *region, struct look *look, int64_t used_ns, uint64_t now)
{
	double percent;
	bool told = utilisation(look, &percent);
	int64_t used = used_ns - look->used_ns;
	uint64_t passed = now - look->looked_ns;
	bool first = !look->looked_ns;
	look->looked_ns = now;
	look->used_ns = used_ns;
	if (told && !first && percent > 0 && used > (int64_t)(passed / LEAST_USE))
		settle(region, look, percent / 100 * (double)passed, (double)used);
}

void contention_look(struct hetero_region *region, unsigned position)
{
	struct look *look = &looks[position];
	uint64_t now = hetero_monotonic_ns(), next = atomic_load_explicit(&look->next_ns, memory_order_relaxed);
	if (now < next || !atomic_compare_exchange_strong(&look->next_ns, &next, now + PERIOD_NS) || !find_device(look))
		return;
	atomic_store(&look->alone, nobody_else(look->device));
	compare(region, look, hetero_pacer_used(region, position) - samples_in_flight(position), now);
}
