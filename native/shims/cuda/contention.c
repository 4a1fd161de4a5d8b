/*
 * Who else is on a device, by NVML's list of its processes; and the time that this process really had of it, by NVML's samples of
 * utilisation, against what it was charged: the rate between the two corrects what no measurement of a single kernel can
 * tell, which is time sliced out and kernels that run beside each other. Both where NVML tells them; else a process counts as
 * in company, and is charged as measured.
 *
 * A look costs 30 to 80 us (H100, driver 580), four times in a second and only where compute is limited.
 */
#include "contention.h"

#include "samples.h"

#include <unistd.h>

#define LOOK_NS 250000000ull
#define PERIOD_NS 1000000000ull /* of utilisation */
#define MOST_PROCESSES 256
/* Utilisation comes in whole percents and lags: less than this share of the period tells nothing... */
#define LEAST_USE 50
/* ...the first answers are of a time in which the process hardly ran, and one second differs from the next by up to a third. */
#define EARLY 2
#define KEPT 0.75
#define LOWER_ERROR 0.9
#define UPPER_ERROR 1.2
#define LEAST_RATE 0.2
#define MOST_RATE 4

static struct look {
	_Atomic uint64_t next_ns; /* CLOCK_MONOTONIC; who moves it on is the one who looks */
	_Atomic uint32_t processes; /* on the device; 0: not known, which counts as one more than this */
	nvmlDevice_t device;
	uint64_t compared_ns;
	unsigned long long newest; /* time stamp of the last sample, us */
	int64_t used_ns;           /* charged by then, for what had run */
	double amiss_ns;           /* charged too much by then, and not given back; half of it goes back at each look */
	unsigned compares;
	double real_sum, used_sum; /* of the last looks, ns */
	double rate;               /* 0: not looked yet */
} looks[HETERO_DEVICES];

uint32_t contention_others(unsigned position)
{
	uint32_t processes = atomic_load_explicit(&looks[position].processes, memory_order_relaxed);
	return processes ? processes - 1 : 1;
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
	       cuda->cuDeviceGetPCIBusId && cuda->cuCtxGetDevice(&device) == CUDA_SUCCESS &&
	       cuda->cuDeviceGetPCIBusId(bus_id, sizeof bus_id, device) == CUDA_SUCCESS &&
	       nvml->nvmlDeviceGetHandleByPciBusId_v2(bus_id, &look->device) == NVML_SUCCESS;
}

/* A list without anybody is one that is not for this process to see. */
static uint32_t count_processes(nvmlDevice_t device)
{
	nvmlProcessInfo_t processes[MOST_PROCESSES];
	unsigned int count = MOST_PROCESSES;
	const struct nvml_real *nvml = nvml_real();
	if (!nvml->nvmlDeviceGetComputeRunningProcesses_v3 ||
	    nvml->nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes) != NVML_SUCCESS)
		return 0;
	return count;
}

/* What the samples since the last look tell of this process, and of all. */
struct told {
	double own, all;
	bool others;
};

static struct told tell(struct look *look, const nvmlProcessUtilizationSample_t *samples, unsigned int count)
{
	struct told told = {0};
	unsigned int own = (unsigned int)getpid();
	for (unsigned int i = 0; i < count; i++) {
		look->newest = samples[i].timeStamp > look->newest ? samples[i].timeStamp : look->newest;
		told.own += samples[i].pid == own ? samples[i].smUtil : 0;
		told.all += samples[i].smUtil;
		told.others |= samples[i].pid != own;
	}
	return told;
}

/*
 * Percent of the device's time that was this process': its part of the time in which the device was busy. Of a process' own
 * utilisation only the proportion to that of the others is believed. False when NVML does not tell.
 */
static bool utilisation(struct look *look, double *percent)
{
	nvmlProcessUtilizationSample_t samples[MOST_PROCESSES];
	nvmlUtilization_t device;
	unsigned int count = MOST_PROCESSES;
	const struct nvml_real *nvml = nvml_real();
	if (!nvml->nvmlDeviceGetProcessUtilization || !nvml->nvmlDeviceGetUtilizationRates ||
	    nvml->nvmlDeviceGetProcessUtilization(look->device, samples, &count, look->newest) != NVML_SUCCESS ||
	    nvml->nvmlDeviceGetUtilizationRates(look->device, &device) != NVML_SUCCESS)
		return false;
	struct told told = tell(look, samples, count);
	*percent = told.all > 0 ? device.gpu * told.own / told.all : 0;
	return told.own > 0 && (told.others || look->processes == 1);
}

/* By the last looks together, the latest most. So near to 1 that it may be NVML's own error, a measurement is better. */
static double rate_of(struct look *look, double real_ns, double used_ns)
{
	look->real_sum = look->real_sum * KEPT + real_ns;
	look->used_sum = look->used_sum * KEPT + used_ns;
	double rate = look->real_sum / look->used_sum;
	bool alone = look->processes == 1;
	if (rate > LOWER_ERROR && (alone || rate < UPPER_ERROR))
		return 1;
	return rate < LEAST_RATE ? LEAST_RATE : rate > MOST_RATE ? MOST_RATE : rate;
}

/* From now on the new rate is charged; and what was charged too much or too little since the last look is made good. */
static void settle(struct hetero_region *region, struct look *look, double real_ns, double used_ns)
{
	unsigned position = (unsigned)(look - looks);
	double charged_ns = used_ns * look->rate;
	look->rate = rate_of(look, real_ns, used_ns);
	hetero_pacer_rate(position, look->rate);
	look->amiss_ns = look->rate == 1 ? 0 : look->amiss_ns + charged_ns - real_ns;
	hetero_pacer_correct(region, position, (int64_t)(look->amiss_ns / 2));
	look->amiss_ns -= look->amiss_ns / 2;
}

static void compare(struct hetero_region *region, struct look *look, int64_t used_ns, uint64_t now)
{
	double percent;
	bool told = utilisation(look, &percent);
	int64_t used = used_ns - look->used_ns;
	uint64_t passed = now - look->compared_ns;
	bool early = look->compares++ < EARLY;
	look->compared_ns = now;
	look->used_ns = used_ns;
	look->rate = look->rate > 0 ? look->rate : 1;
	if (told && !early && percent > 0 && used > (int64_t)(passed / LEAST_USE))
		settle(region, look, percent / 100 * (double)passed, (double)used);
}

void contention_look(struct hetero_region *region, unsigned position)
{
	struct look *look = &looks[position];
	uint64_t now = hetero_monotonic_ns(), next = atomic_load_explicit(&look->next_ns, memory_order_relaxed);
	if (now < next || !atomic_compare_exchange_strong(&look->next_ns, &next, now + LOOK_NS) || !find_device(look))
		return;
	atomic_store(&look->processes, count_processes(look->device));
	if (now - look->compared_ns >= PERIOD_NS)
		compare(region, look, hetero_pacer_used(region, position) - samples_in_flight(position), now);
}
