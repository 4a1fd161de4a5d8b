/*
 * cardinfo: what the driver and the management library say about each card.
 * Inside a slice all three totals are the slice's.
 */
#include <dlfcn.h>

#include "common.h"
#include "nvml_abi.h"

static const char usage[] =
	"usage: cardinfo\n"
	"Prints name, UUID and memory of each card in MiB, as cuDeviceTotalMem, cuMemGetInfo and NVML tell it.\n";

struct management {
	nvmlReturn_t (*init)(void);
	nvmlReturn_t (*by_uuid)(const char *uuid, nvmlDevice_t *device);
	nvmlReturn_t (*memory)(nvmlDevice_t device, nvmlMemory_t *memory);
	bool ready;
};

/* The management library is optional: it is opened at run time, as most users of it do. */
static struct management open_management(void)
{
	struct management nvml = {0};
	void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
	if (!library)
		return nvml;
	*(void **)&nvml.init = dlsym(library, "nvmlInit_v2");
	*(void **)&nvml.by_uuid = dlsym(library, "nvmlDeviceGetHandleByUUID");
	*(void **)&nvml.memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
	nvml.ready = nvml.init && nvml.by_uuid && nvml.memory && nvml.init() == NVML_SUCCESS;
	return nvml;
}

static void spell_uuid(const CUuuid *uuid, char text[48])
{
	int at = sprintf(text, "GPU-");
	for (int i = 0; i < 16; i++)
		at += sprintf(text + at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			      (unsigned)(unsigned char)uuid->bytes[i]);
}

static void print_management(const struct management *nvml, const char *uuid)
{
	nvmlDevice_t device;
	nvmlMemory_t memory;
	if (!nvml->ready || nvml->by_uuid(uuid, &device) != NVML_SUCCESS ||
	    nvml->memory(device, &memory) != NVML_SUCCESS) {
		printf("  nvml                not available\n");
		return;
	}
	printf("  nvml total          %llu MiB\n", (unsigned long long)memory.total / MIB);
	printf("  nvml used           %llu MiB\n", (unsigned long long)memory.used / MIB);
	printf("  nvml free           %llu MiB\n", (unsigned long long)memory.free / MIB);
}

static void print_card(const struct management *nvml, int ordinal)
{
	char name[96], uuid_text[48];
	CUuuid uuid;
	size_t device_total, free_bytes, total;
	CUdevice device = use_device(ordinal);
	CHECK(cuDeviceGetName(name, sizeof name, device));
	CHECK(cuDeviceGetUuid(&uuid, device));
	CHECK(cuDeviceTotalMem_v2(&device_total, device));
	CHECK(cuMemGetInfo_v2(&free_bytes, &total));
	spell_uuid(&uuid, uuid_text);
	printf("card %d: %s %s\n", ordinal, name, uuid_text);
	printf("  cuDeviceTotalMem    %llu MiB\n", (unsigned long long)device_total / MIB);
	printf("  cuMemGetInfo total  %llu MiB\n", (unsigned long long)total / MIB);
	printf("  cuMemGetInfo free   %llu MiB\n", (unsigned long long)free_bytes / MIB);
	print_management(nvml, uuid_text);
	CHECK(cuDevicePrimaryCtxRelease_v2(device));
}

int main(int argc, char **argv)
{
	(void)argv;
	int count = 0;
	if (argc > 1) {
		fputs(usage, stderr);
		return 2;
	}
	CHECK(cuInit(0));
	CHECK(cuDeviceGetCount(&count));
	struct management nvml = open_management();
	for (int ordinal = 0; ordinal < count; ordinal++)
		print_card(&nvml, ordinal);
	return 0;
}
