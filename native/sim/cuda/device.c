/* What a device is: name, memory, place, attributes. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CUresult ready_device(CUdevice device)
{
	NEED_INIT();
	return device_exists(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

#define NEED_DEVICE(device)                                       \
	do {                                                      \
		CUresult device_result = ready_device(device);    \
		if (device_result != CUDA_SUCCESS)                \
			return device_result;                     \
	} while (0)

SIM_EXPORT CUresult cuDeviceGetCount(int *count)
{
	NEED_INIT();
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = driver.device_count;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	NEED_INIT();
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (!device_exists(ordinal))
		return CUDA_ERROR_INVALID_DEVICE;
	*device = ordinal;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
	NEED_DEVICE(device);
	if (!name || length <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(name, (size_t)length, "%s", device_card(device)->name);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
	NEED_DEVICE(device);
	if (!uuid)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(uuid->bytes, device_card(device)->uuid_bytes, sizeof uuid->bytes);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
	return cuDeviceGetUuid(uuid, device);
}

SIM_EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
	NEED_DEVICE(device);
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	*bytes = device_card(device)->memory_bytes;
	return CUDA_SUCCESS;
}

/* The call of CUDA 3.1 and before counts in 32 bits. */
SIM_EXPORT CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
	NEED_DEVICE(device);
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	uint64_t total = device_card(device)->memory_bytes;
	*bytes = total > UINT32_MAX ? UINT32_MAX : (unsigned int)total;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
	NEED_DEVICE(device);
	if (!major || !minor)
		return CUDA_ERROR_INVALID_VALUE;
	*major = (int)device_card(device)->compute_major;
	*minor = (int)device_card(device)->compute_minor;
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device)
{
	NEED_DEVICE(device);
	const struct sim_card_config *card = device_card(device);
	if (!text || length < 13)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(text, (size_t)length, "%04X:%02X:%02X.0", card->pci_domain, card->pci_bus, card->pci_device);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *text)
{
	unsigned domain = 0, bus, place;
	NEED_INIT();
	if (!device || !text ||
	    (sscanf(text, "%x:%x:%x", &domain, &bus, &place) != 3 && sscanf(text, "%x:%x", &bus, &place) != 2))
		return CUDA_ERROR_INVALID_VALUE;
	for (int i = 0; i < driver.device_count; i++) {
		const struct sim_card_config *card = device_card(i);
		if (card->pci_domain == domain && card->pci_bus == bus && card->pci_device == place) {
			*device = i;
			return CUDA_SUCCESS;
		}
	}
	return CUDA_ERROR_INVALID_DEVICE;
}

static bool linked(CUdevice from, CUdevice to)
{
	const struct sim_card_config *card = device_card(from);
	for (uint32_t link = 0; link < card->nvlink_count; link++)
		if (card->nvlink_peers[link] == driver.card_of[to])
			return true;
	return false;
}

SIM_EXPORT CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
	NEED_DEVICE(device);
	NEED_DEVICE(peer);
	if (!can)
		return CUDA_ERROR_INVALID_VALUE;
	*can = device != peer && linked(device, peer);
	return CUDA_SUCCESS;
}

/* Attributes that do not depend on the card: the limits of every card of the last ten years. */
static const struct constant_attribute {
	CUdevice_attribute attribute;
	int value;
} constant_attributes[] = {
	{CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
	{CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
	{CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
	{CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
	{CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
	{CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
	{CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
	{CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
	{CU_DEVICE_ATTRIBUTE_MAX_PITCH, 2147483647},
	{CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, SIM_THREADS_PER_SM},
	{CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
	{CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1},
	{CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 1},
	{CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
	{CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 1},
	{CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 0},
	{CU_DEVICE_ATTRIBUTE_COMPUTE_MODE, 0},
	{CU_DEVICE_ATTRIBUTE_INTEGRATED, 0},
};

/* A client finds the daemon by its directory of pipes, as a driver's does. Kernels run no slower for it here. */
static bool shared_by_mps(void)
{
	const char *directory = getenv("CUDA_MPS_PIPE_DIRECTORY");
	char path[4096];
	snprintf(path, sizeof path, "%s/control", directory && *directory ? directory : "/tmp/nvidia-mps");
	return access(path, F_OK) == 0;
}

static bool card_attribute(const struct sim_card_config *card, CUdevice_attribute attribute, int *value)
{
	switch (attribute) {
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = (int)card->sm_count; return true;
	case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = (int)card->clock_mhz * 1000; return true;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = (int)card->compute_major; return true;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = (int)card->compute_minor; return true;
	case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: *value = (int)card->pci_bus; return true;
	case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID: *value = (int)card->pci_device; return true;
	case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID: *value = (int)card->pci_domain; return true;
	case CU_DEVICE_ATTRIBUTE_MPS_ENABLED: *value = shared_by_mps(); return true;
	default: return false;
	}
}

SIM_EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	NEED_DEVICE(device);
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if (card_attribute(device_card(device), attribute, value))
		return CUDA_SUCCESS;
	for (size_t i = 0; i < sizeof constant_attributes / sizeof constant_attributes[0]; i++)
		if (constant_attributes[i].attribute == attribute) {
			*value = constant_attributes[i].value;
			return CUDA_SUCCESS;
		}
	/* A feature that the simulation does not have is absent, which 0 says for all the others. */
	*value = 0;
	return attribute > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
