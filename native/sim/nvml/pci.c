/* Where a card sits: PCI address, NUMA node, links to other cards. */
#include "library.h"

#include <stdio.h>
#include <string.h>

static void fill_pci(const struct sim_card_config *card, nvmlPciInfo_t *pci)
{
	memset(pci, 0, sizeof *pci);
	pci->domain = card->pci_domain;
	pci->bus = card->pci_bus;
	pci->device = card->pci_device;
	snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus, pci->device);
	snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xFFFF, pci->bus & 0xFF,
		 pci->device & 0x1F);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(pci);
	fill_pci(card, pci);
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned int *node)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(node);
	if (card->numa < 0)
		return NVML_ERROR_NOT_SUPPORTED;
	*node = (unsigned)card->numa;
	return NVML_SUCCESS;
}

static nvmlReturn_t find_link(nvmlDevice_t device, unsigned link, const struct sim_card_config **peer)
{
	NEED_CARD(card, device);
	NEED_ARGUMENT(link < NVML_NVLINK_MAX_LINKS);
	if (link >= card->nvlink_count)
		return NVML_ERROR_NOT_SUPPORTED;
	*peer = &library.machine.config.cards[card->nvlink_peers[link]];
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *active)
{
	const struct sim_card_config *peer;
	nvmlReturn_t result = find_link(device, link, &peer);
	if (result != NVML_SUCCESS)
		return result;
	NEED_ARGUMENT(active);
	*active = peer->health == SIM_LOST ? NVML_FEATURE_DISABLED : NVML_FEATURE_ENABLED;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
	const struct sim_card_config *peer;
	nvmlReturn_t result = find_link(device, link, &peer);
	if (result != NVML_SUCCESS)
		return result;
	NEED_ARGUMENT(pci);
	fill_pci(peer, pci);
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
							   nvmlIntNvLinkDeviceType_t *type)
{
	const struct sim_card_config *peer;
	nvmlReturn_t result = find_link(device, link, &peer);
	if (result != NVML_SUCCESS)
		return result;
	NEED_ARGUMENT(type);
	*type = NVML_NVLINK_DEVICE_TYPE_GPU;
	return NVML_SUCCESS;
}

/* Cards of one NUMA node hang off one host bridge; all others are reached across the system. */
SIM_EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t first, nvmlDevice_t second,
							    nvmlGpuTopologyLevel_t *level)
{
	NEED_CARD(one, first);
	NEED_CARD(two, second);
	NEED_ARGUMENT(level);
	if (first == second)
		*level = NVML_TOPOLOGY_INTERNAL;
	else
		*level = one->numa == two->numa ? NVML_TOPOLOGY_HOSTBRIDGE : NVML_TOPOLOGY_SYSTEM;
	return NVML_SUCCESS;
}
