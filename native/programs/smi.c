/*
 * smi: what the management library alone says, asked for as nvidia-smi asks: opened at run time, every function looked
 * up by name, no CUDA in the process. Inside a slice the memory is the slice's.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvml_abi.h"

#define MIB (1024ull * 1024ull)
#define NOT_AVAILABLE (~0ull) /* what NVML says of a process whose memory it does not know */

static const char usage[] =
	"usage: smi\n"
	"Prints name, memory and processes of each card, as NVML tells them; both versions of the memory query.\n";

static void *library;

static void *named(const char *name)
{
	void *function = dlsym(library, name);
	if (function)
		return function;
	fprintf(stderr, "libnvidia-ml.so.1 has no %s\n", name);
	exit(1);
}

static void check(nvmlReturn_t result, const char *call)
{
	if (result == NVML_SUCCESS)
		return;
	fprintf(stderr, "%s: NVML error %d\n", call, (int)result);
	exit(1);
}

static void print_memory(nvmlDevice_t device)
{
	nvmlReturn_t (*first)(nvmlDevice_t, nvmlMemory_t *) = named("nvmlDeviceGetMemoryInfo");
	nvmlReturn_t (*second)(nvmlDevice_t, nvmlMemory_v2_t *) = named("nvmlDeviceGetMemoryInfo_v2");
	nvmlMemory_t memory;
	nvmlMemory_v2_t memory_v2 = {.version = nvmlMemory_v2};
	check(first(device, &memory), "nvmlDeviceGetMemoryInfo");
	check(second(device, &memory_v2), "nvmlDeviceGetMemoryInfo_v2");
	printf("  memory     %lluMiB / %lluMiB, %lluMiB free\n", (unsigned long long)memory.used / MIB,
	       (unsigned long long)memory.total / MIB, (unsigned long long)memory.free / MIB);
	printf("  memory v2  %lluMiB / %lluMiB, %lluMiB free, %lluMiB reserved\n",
	       (unsigned long long)memory_v2.used / MIB, (unsigned long long)memory_v2.total / MIB,
	       (unsigned long long)memory_v2.free / MIB, (unsigned long long)memory_v2.reserved / MIB);
}

static void print_process(const nvmlProcessInfo_t *process)
{
	if (process->usedGpuMemory == NOT_AVAILABLE)
		printf("  process    %u, memory not known\n", process->pid);
	else
		printf("  process    %u, %lluMiB\n", process->pid, (unsigned long long)process->usedGpuMemory / MIB);
}

/* Room for none tells the number; between the two calls some may have come, so there is room for a few more. */
static void print_processes(nvmlDevice_t device)
{
	nvmlReturn_t (*list)(nvmlDevice_t, unsigned *, nvmlProcessInfo_t *) =
		named("nvmlDeviceGetComputeRunningProcesses_v3");
	unsigned count = 0;
	nvmlReturn_t result = list(device, &count, NULL);
	if (result != NVML_SUCCESS && result != NVML_ERROR_INSUFFICIENT_SIZE)
		check(result, "nvmlDeviceGetComputeRunningProcesses_v3");
	nvmlProcessInfo_t *processes = calloc(count += 8, sizeof *processes);
	if (!processes)
		exit(1);
	check(list(device, &count, processes), "nvmlDeviceGetComputeRunningProcesses_v3");
	for (unsigned i = 0; i < count; i++)
		print_process(&processes[i]);
	free(processes);
}

static void print_card(unsigned index)
{
	nvmlReturn_t (*by_index)(unsigned, nvmlDevice_t *) = named("nvmlDeviceGetHandleByIndex_v2");
	nvmlReturn_t (*name_of)(nvmlDevice_t, char *, unsigned) = named("nvmlDeviceGetName");
	nvmlDevice_t device;
	char name[96];
	check(by_index(index, &device), "nvmlDeviceGetHandleByIndex_v2");
	check(name_of(device, name, sizeof name), "nvmlDeviceGetName");
	printf("card %u: %s\n", index, name);
	print_memory(device);
	print_processes(device);
}

int main(int argc, char **argv)
{
	(void)argv;
	unsigned count;
	if (argc > 1) {
		fputs(usage, stderr);
		return 2;
	}
	library = dlopen("libnvidia-ml.so.1", RTLD_LAZY);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	check(((nvmlReturn_t(*)(void))named("nvmlInit_v2"))(), "nvmlInit_v2");
	check(((nvmlReturn_t(*)(unsigned *))named("nvmlDeviceGetCount_v2"))(&count), "nvmlDeviceGetCount_v2");
	for (unsigned index = 0; index < count; index++)
		print_card(index);
	return 0;
}
