/*
 * Who else is on a device, by NVML's list of its processes; and the time that this process really had of it, by NVML's samples of
 * utilisation, against what it was charged: the rate between the two corrects what no measurement of a single kernel can
 * tell, which is time sliced out and kernels that run beside each other. Both where NVML tells them; else a process counts as
 * in company, and is charged as measured.
 *
 * A look costs 30 to 80 us (H100, driver 580), four times in a second and only where compute is limited.
 */
#include "contention.h"

#include "mps.h"

#include "samples.h"

#include <unistd.h>

#define LOOK_NS 250000000ull
#define PERIOD_NS 1000000000ull /* of utilisation */
#define MOST_PROCESSES 256
/* A kernel that a neighbour's turn (2 ms) surely interrupts. */
#define LONG_NS 1500000
/* What NVML's utilisation is worth: rate_of tells. */
#define LOOKS_PER_NS 5e-9
#define LEAST_LOOKS 25
/* The first answers are of a time in which the process hardly ran, and who is charged less than a 20th is told too coarsely. */
#define EARLY 2
#define LEAST_USE 20
#define MEMORY_NS 90e9 /* older looks count less and less */
#define DEVIATIONS 1.5
#define MOST_RATE 4

static _Atomic int64_t long_used[HETERO_DEVICES]; /* charged for kernels long enough to be stretched by neighbours, ns */

static struct look {
	_Atomic uint64_t next_ns; /* CLOCK_MONOTONIC */
	_Atomic uint32_t processes; /* on the device; 0: not known, which counts as one more than this */
	nvmlDevice_t device;
	uint64_t compared_ns;
	unsigned long long newest; /* time stamp of the last sample, us */
	int64_t used_ns, long_used_ns; /* charged by then, for what had run */
	unsigned compares;
	bool seen;                     /* NVML has told of this process */
	/* Sums over the last minute or so: the time that was looked at, the device's busy time, utilisation of this process and of
	 * all, and what was charged, all and for long kernels. */
	double time_ns, busy_ns, own, all, charged_ns, long_ns;
} looks[HETERO_DEVICES];

void contention_charged(unsigned position, int64_t ns)
{
	if (ns >= LONG_NS)
		atomic_fetch_add_explicit(&long_used[position], ns, memory_order_relaxed);
}

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

/* What NVML writes into, by whoever looks: one thread at a time, whose stack may be too small for it. */
static union {
	nvmlProcessInfo_t processes[MOST_PROCESSES];
	nvmlProcessUtilizationSample_t samples[MOST_PROCESSES];
} answer;

/* A list without anybody is one that is not for this process to see. */
static uint32_t count_processes(nvmlDevice_t device)
{
	unsigned int count = MOST_PROCESSES;
	const struct nvml_real *nvml = nvml_real();
	if (!nvml->nvmlDeviceGetComputeRunningProcesses_v3 ||
	    nvml->nvmlDeviceGetComputeRunningProcesses_v3(device, &count, answer.processes) != NVML_SUCCESS)
		return 0;
	return count;
}

/* What the samples since the last look tell of this process, and of all. */
struct told {
	double own, all; /* utilisation of processes: of these, only the proportion is believed */
	double device;   /* percent of the time in which it was busy */
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
 * What NVML tells since the last look. False when it does not tell of this process, or has not done so yet; once it has, a
 * process that is missing among the others had nothing.
 */
static bool utilisation(struct look *look, struct told *told)
{
	nvmlUtilization_t device;
	unsigned int count = MOST_PROCESSES;
	const struct nvml_real *nvml = nvml_real();
	if (!nvml->nvmlDeviceGetProcessUtilization || !nvml->nvmlDeviceGetUtilizationRates ||
	    nvml->nvmlDeviceGetProcessUtilization(look->device, answer.samples, &count, look->newest) != NVML_SUCCESS ||
	    nvml->nvmlDeviceGetUtilizationRates(look->device, &device) != NVML_SUCCESS)
		return false;
	*told = tell(look, answer.samples, count);
	told->device = device.gpu;
	look->seen |= told->own > 0;
	return look->seen && told->all > 0 && (told->others || look->processes == 1);
}

/* By Newton's rule: a library less is needed. */
static double root(double square)
{
	double root = 1;
	for (int i = 0; i < 40; i++)
		root = (root + square / root) / 2;
	return root;
}

/*
 * NVML looks about five times in a second at who runs (H100, driver 580: a second's samples are multiples of 20), so of some
 * seconds it knows a share only within some deviations of so many looks. Of all rates within that, the one nearest to 1.
 */
static double rate_of(const struct look *look)
{
	double looked = LOOKS_PER_NS * look->time_ns;
	double share = look->busy_ns / look->time_ns * look->own / look->all;
	double error = looked > LEAST_LOOKS ? DEVIATIONS * root(share * (1 - share) / looked + 1 / looked / looked) : 1;
	double charged = look->charged_ns / look->time_ns;
	double low = (share - error) / charged, high = (share + error) / charged;
	double rate = low > 1 ? low : high < 1 ? high : 1;
	double least = look->processes ? 1.0 / look->processes : 0.5; /* with all of them in turn, all the time */
	return rate < least ? least : rate > MOST_RATE ? MOST_RATE : rate;
}

static void add_up(double *sum, double more, double kept)
{
	*sum = *sum * kept + more;
}

/* Short kernels are measured true beside neighbours; what is charged for long ones may be a neighbour's. */
static bool stretchable(const struct look *look)
{
	return look->processes == 1 || look->long_ns > look->charged_ns / 2;
}

static void compare(struct look *look, unsigned position, int64_t used_ns, int64_t long_ns, uint64_t now)
{
	double passed = (double)(now - look->compared_ns), kept = 1 / (1 + passed / MEMORY_NS);
	struct told told;
	bool known = utilisation(look, &told) && look->compares++ >= EARLY;
	if (known) {
		add_up(&look->time_ns, passed, kept);
		add_up(&look->busy_ns, told.device / 100 * passed, kept);
		add_up(&look->own, told.own, kept);
		add_up(&look->all, told.all, kept);
		add_up(&look->charged_ns, (double)(used_ns - look->used_ns), kept);
		add_up(&look->long_ns, (double)(long_ns - look->long_used_ns), kept);
	}
	look->compared_ns = now;
	look->used_ns = used_ns;
	look->long_used_ns = long_ns;
	if (known && look->charged_ns > look->time_ns / LEAST_USE)
		hetero_pacer_rate(position, stretchable(look) ? rate_of(look) : 1);
}

static void look_at(struct hetero_region *region, struct look *look, unsigned position, uint64_t now)
{
	if (!find_device(look))
		return;
	atomic_store(&look->processes, count_processes(look->device));
	/* NVML's samples tell of MPS' server, not of its clients. */
	if (now - look->compared_ns >= PERIOD_NS && !mps_confines(position))
		compare(look, position, hetero_pacer_used(region, position) - samples_in_flight(position),
			atomic_load_explicit(&long_used[position], memory_order_relaxed), now);
}

void contention_look(struct hetero_region *region, unsigned position)
{
	static atomic_flag looking = ATOMIC_FLAG_INIT;
	struct look *look = &looks[position];
	uint64_t now = hetero_monotonic_ns();
	if (now < atomic_load_explicit(&look->next_ns, memory_order_relaxed) || atomic_flag_test_and_set(&looking))
		return;
	atomic_store(&look->next_ns, now + LOOK_NS);
	look_at(region, look, position, now);
	atomic_flag_clear(&looking);
}
