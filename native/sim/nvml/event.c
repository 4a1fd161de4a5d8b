/*
 * Event sets: a critical error that cards.conf gives a card is delivered once to
 * each set that asked for it, also when it appears while the set is waited for.
 */
#include "library.h"

#include <stdlib.h>

#define NO_INSTANCE 0xFFFFFFFFu
#define POLL_NS 20000000ull /* how soon a fault that was just injected is seen */

struct nvmlEventSet_st {
	uint64_t wanted[SIM_CARDS];
	uint32_t delivered[SIM_CARDS]; /* the last xid that was delivered */
};

SIM_EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *out)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(out);
	*out = calloc(1, sizeof **out);
	return *out ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

SIM_EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(set);
	free(set);
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(types);
	*types = nvmlEventTypeXidCriticalError;
	return NVML_SUCCESS;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set)
{
	NEED_CARD(card, device);
	(void)card;
	NEED_ARGUMENT(set);
	if (types & ~(unsigned long long)nvmlEventTypeXidCriticalError)
		return NVML_ERROR_NOT_SUPPORTED;
	set->wanted[device->index] |= types;
	return NVML_SUCCESS;
}

static bool take_event(nvmlEventSet_t set, uint32_t index, nvmlEventData_t *data)
{
	const struct sim_card_config *card = &library.machine.config.cards[index];
	if (card->health != SIM_XID) {
		set->delivered[index] = 0; /* a card that recovered may fail the same way again */
		return false;
	}
	if (!set->wanted[index] || set->delivered[index] == card->xid)
		return false;
	set->delivered[index] = card->xid;
	*data = (nvmlEventData_t){.device = &library.cards[index],
				  .eventType = nvmlEventTypeXidCriticalError,
				  .eventData = card->xid,
				  .gpuInstanceId = NO_INSTANCE,
				  .computeInstanceId = NO_INSTANCE};
	return true;
}

/* A watched card that falls off the bus ends the wait with its error. */
static nvmlReturn_t poll_cards(nvmlEventSet_t set, nvmlEventData_t *data)
{
	NEED_LIBRARY();
	for (uint32_t i = 0; i < library.machine.config.count; i++) {
		if (take_event(set, i, data))
			return NVML_SUCCESS;
		if (set->wanted[i] && library.machine.config.cards[i].health == SIM_LOST)
			return NVML_ERROR_GPU_IS_LOST;
	}
	return NVML_ERROR_TIMEOUT;
}

SIM_EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
	NEED_LIBRARY();
	NEED_ARGUMENT(set && data);
	uint64_t now = sim_now(), end = now + milliseconds * 1000000ull;
	for (;;) {
		nvmlReturn_t result = poll_cards(set, data);
		now = sim_now();
		if (result != NVML_ERROR_TIMEOUT || now >= end)
			return result;
		sim_sleep_until(end - now < POLL_NS ? end : now + POLL_NS);
	}
}

SIM_EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
	return nvmlEventSetWait_v2(set, data, milliseconds);
}
