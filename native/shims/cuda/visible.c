/*
 * Which of the management library's devices is which of the program's. A slice made from the environment has no identities:
 * its position i is the i-th device that the CUDA program sees. The management library lists all devices of the machine
 * whatever CUDA_VISIBLE_DEVICES says, and may be asked before the driver has started; so until then the variable is read as
 * the driver will read it.
 *
 * A number in it counts in the driver's order of devices. That is the management library's own with
 * CUDA_DEVICE_ORDER=PCI_BUS_ID, and on like cards without it; where cards are unlike, the driver puts the fastest first,
 * and what that is is known only once it has started.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim.h"

#define NOWHERE HETERO_DEVICES
#define LIST 4096 /* of CUDA_VISIBLE_DEVICES; what is longer names more devices than there are positions */
#define SPELT 96  /* "MIG-GPU-", a UUID, and two numbers */

/* Without "GPU-" or "MIG-": the driver gives the bytes alone. */
static const char *digits(const char *uuid)
{
	const char *last = strstr(uuid, "GPU-");
	return last ? last + 4 : strncasecmp(uuid, "MIG-", 4) == 0 ? uuid + 4 : uuid;
}

/* The driver's own answers, once it has started; they do not change any more. */
static struct {
	unsigned count;
	char uuid[HETERO_DEVICES][2][UUID_TEXT]; /* of the device, and of its instance if it is one */
} seen;
static _Atomic bool seen_all;

static void look_at(unsigned place, CUresult (*ask)(CUuuid *, CUdevice), unsigned which)
{
	CUuuid uuid;
	if (ask && ask(&uuid, (CUdevice)place) == CUDA_SUCCESS)
		uuid_spell(&uuid, seen.uuid[place][which]);
}

static bool driver_started(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int count = 0;
	if (atomic_load_explicit(&seen_all, memory_order_acquire))
		return true;
	if (!cuda_loaded() || !cuda_real()->cuDeviceGetCount || cuda_real()->cuDeviceGetCount(&count) != CUDA_SUCCESS)
		return false;
	pthread_mutex_lock(&lock);
	seen.count = (unsigned)count < HETERO_DEVICES ? (unsigned)count : HETERO_DEVICES;
	for (unsigned place = 0; place < seen.count; place++) {
		look_at(place, cuda_real()->cuDeviceGetUuid, 0);
		look_at(place, cuda_real()->cuDeviceGetUuid_v2, 1);
	}
	atomic_store_explicit(&seen_all, true, memory_order_release);
	pthread_mutex_unlock(&lock);
	return true;
}

static unsigned place_in_driver(const char *uuid)
{
	for (unsigned place = 0; place < seen.count; place++)
		for (unsigned which = 0; which < 2; which++)
			if (*seen.uuid[place][which] &&
			    strcasecmp(digits(seen.uuid[place][which]), digits(uuid)) == 0)
				return place;
	return NOWHERE;
}

static bool uuid_of(nvmlDevice_t device, char uuid[SPELT])
{
	const struct nvml_real *real = nvml_real();
	return real->nvmlDeviceGetUUID && real->nvmlDeviceGetUUID(device, uuid, SPELT) == NVML_SUCCESS;
}

static unsigned index_of(nvmlDevice_t device)
{
	unsigned int index;
	const struct nvml_real *real = nvml_real();
	if (!real->nvmlDeviceGetIndex || real->nvmlDeviceGetIndex(device, &index) != NVML_SUCCESS)
		return NOWHERE;
	return index;
}

static unsigned card_count(void)
{
	unsigned int count = 0;
	const struct nvml_real *real = nvml_real();
	if (!real->nvmlDeviceGetCount_v2 || real->nvmlDeviceGetCount_v2(&count) != NVML_SUCCESS)
		return 0;
	return count;
}

static unsigned card_by_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);
	return end != text && !*end && number >= 0 && number < (long)card_count() ? (unsigned)number : NOWHERE;
}

/* A prefix names a card when no other card's UUID begins with it. */
static unsigned card_by_uuid(const char *prefix)
{
	const struct nvml_real *real = nvml_real();
	unsigned found = NOWHERE, count = card_count();
	for (unsigned i = 0; i < count; i++) {
		nvmlDevice_t device;
		char uuid[SPELT];
		if (!real->nvmlDeviceGetHandleByIndex_v2 ||
		    real->nvmlDeviceGetHandleByIndex_v2(i, &device) != NVML_SUCCESS || !uuid_of(device, uuid) ||
		    strncasecmp(uuid, prefix, strlen(prefix)) != 0)
			continue;
		if (found != NOWHERE)
			return NOWHERE;
		found = i;
	}
	return found;
}

/* "MIG-GPU-UUID/i/j" names the card itself; "MIG-UUID" names an instance, whose card the management library knows. */
static unsigned card_by_instance(const char *name)
{
	const struct nvml_real *real = nvml_real();
	nvmlDevice_t instance, card;
	char uuid[SPELT];
	if (strncasecmp(name, "MIG-GPU-", 8) == 0) {
		snprintf(uuid, sizeof uuid, "%.*s", (int)strcspn(name + 4, "/"), name + 4);
		return card_by_uuid(uuid);
	}
	if (!real->nvmlDeviceGetHandleByUUID || !real->nvmlDeviceGetDeviceHandleFromMigDeviceHandle ||
	    real->nvmlDeviceGetHandleByUUID(name, &instance) != NVML_SUCCESS ||
	    real->nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instance, &card) != NVML_SUCCESS)
		return NOWHERE;
	return index_of(card);
}

static unsigned card_named(const char *name)
{
	if (strncasecmp(name, "GPU-", 4) == 0)
		return card_by_uuid(name);
	return strncasecmp(name, "MIG-", 4) == 0 ? card_by_instance(name) : card_by_number(name);
}

/* Nothing after the first name that is no device's counts, nor what is named twice. */
static unsigned place_in_list(char *list, unsigned index)
{
	unsigned cards[HETERO_DEVICES], count = 0;
	for (char *item; count < HETERO_DEVICES && (item = strsep(&list, ",")) != NULL; count++) {
		item += strspn(item, " ");
		item[strcspn(item, " ")] = '\0';
		cards[count] = card_named(item);
		for (unsigned i = 0; i < count; i++)
			if (cards[i] == cards[count])
				return NOWHERE;
		if (cards[count] == NOWHERE)
			return NOWHERE;
		if (cards[count] == index)
			return count;
	}
	return NOWHERE;
}

static unsigned place_in_environment(unsigned index)
{
	char list[LIST];
	const char *value = getenv("CUDA_VISIBLE_DEVICES");
	if (!value)
		return index < HETERO_DEVICES ? index : NOWHERE;
	snprintf(list, sizeof list, "%s", value);
	return place_in_list(list, index);
}

unsigned slice_device_by_handle(nvmlDevice_t device)
{
	char uuid[SPELT];
	if (!uuid_of(device, uuid))
		return NOWHERE;
	if (slice_has_identities())
		return slice_device_by_uuid(uuid);
	return driver_started() ? place_in_driver(uuid) : place_in_environment(index_of(device));
}
