/* cuInit, the visible devices, the objects behind handles. */
#include "driver.h"
#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct driver driver = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Set in a child that was forked after cuInit: a driver's state does not survive fork. */
static bool forked;
static struct object *free_objects;

void driver_lock(void)
{
	pthread_mutex_lock(&driver.lock);
}

void driver_unlock(void)
{
	pthread_mutex_unlock(&driver.lock);
}

/* All objects have the size of the largest, so that any freed one serves any kind. */
#define OBJECT_SIZE sizeof(union { struct CUctx_st c; struct CUstream_st s; struct CUevent_st e; struct CUfunc_st f; struct CUmod_st m; \
				  struct CUgraph_st g; struct CUgraphNode_st n; struct CUgraphExec_st x; })

void *object_new(enum kind kind, size_t size)
{
	struct object *object = free_objects;
	if (object)
		free_objects = object->next_free;
	else
		object = malloc(OBJECT_SIZE);
	if (!object)
		return NULL;
	memset(object, 0, size);
	object->kind = (uint32_t)kind;
	return object;
}

void object_end(void *object)
{
	struct object *ended = object;
	ended->kind = 0;
	ended->next_free = free_objects;
	free_objects = ended;
}

static bool already_visible(uint32_t card)
{
	for (int i = 0; i < driver.device_count; i++)
		if (driver.card_of[i] == card)
			return true;
	return false;
}

static int card_by_index(const char *text)
{
	char *end;
	long index = strtol(text, &end, 10);
	return end != text && !*end && index >= 0 && index < (long)driver.machine.config.count ? (int)index : -1;
}

/* A prefix of a UUID names a card when no other card's UUID begins with it. */
static int card_by_uuid(const char *prefix)
{
	int found = -1;
	for (uint32_t i = 0; i < driver.machine.config.count; i++) {
		if (strncasecmp(driver.machine.config.cards[i].uuid, prefix, strlen(prefix)) != 0)
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

/* An instance, at its place behind the cards. */
static int card_by_mig(const char *prefix)
{
	uint32_t place = sim_mig_place(&driver.machine, prefix);
	return place ? (int)place : -1;
}

static int card_named(const char *text)
{
	if (strncasecmp(text, "MIG-", 4) == 0)
		return card_by_mig(text);
	return strncasecmp(text, "GPU-", 4) == 0 ? card_by_uuid(text) : card_by_index(text);
}

/*
 * "If one of the indices is invalid, only the devices whose index precedes the invalid index are visible."
 * A program has one instance, and then nothing else: NVIDIA MIG User Guide, "CUDA Device Enumeration".
 */
static void find_listed(char *list)
{
	for (char *item; (item = strsep(&list, ",")) != NULL;) {
		while (*item == ' ')
			item++;
		item[strcspn(item, " ")] = '\0';
		int card = card_named(item);
		if (card < 0 || already_visible((uint32_t)card))
			return;
		if (card >= SIM_CARDS && driver.device_count)
			return;
		driver.card_of[driver.device_count++] = (uint32_t)card;
		if (card >= SIM_CARDS)
			return;
	}
}

void driver_find_visible(void)
{
	const char *value = getenv("CUDA_VISIBLE_DEVICES");
	driver.device_count = 0;
	char *list = value ? strdup(value) : NULL;
	if (list)
		find_listed(list);
	else
		while (driver.device_count < (int)driver.machine.config.count) {
			driver.card_of[driver.device_count] = (uint32_t)driver.device_count;
			driver.device_count++;
		}
	free(list);
}

static void in_child(void)
{
	forked = driver.ready;
	driver.ready = false;
	pthread_mutex_init(&driver.lock, NULL);
}

static CUresult start(void)
{
	switch (sim_machine_open(&driver.machine)) {
	case SIM_NO_MACHINE:
		return CUDA_ERROR_NO_DEVICE;
	case SIM_BAD_MACHINE:
		return CUDA_ERROR_SYSTEM_NOT_READY;
	case SIM_OPENED:
		break;
	}
	driver_find_visible();
	if (!driver.device_count)
		return CUDA_ERROR_NO_DEVICE;
	driver.process = sim_join(driver.machine.state);
	if (!driver.process)
		return CUDA_ERROR_OPERATING_SYSTEM;
	pthread_atfork(NULL, NULL, in_child);
	sim_take_part();
	driver.ready = true;
	return CUDA_SUCCESS;
}

/*
 * HETERO_SIM_PARTIES=n: cuInit returns when n processes have come to it, so that
 * all begin at one moment.
 */
static CUresult meet_others(void)
{
	const char *value = getenv("HETERO_SIM_PARTIES");
	unsigned long parties = value ? strtoul(value, NULL, 10) : 0;
	if (parties < 2 || sim_clock_meet(driver.machine.state, (uint32_t)parties))
		return CUDA_SUCCESS;
	fprintf(stderr, "hetero-sim: HETERO_SIM_PARTIES=%lu, and so many processes did not come within 20 s\n", parties);
	return CUDA_ERROR_SYSTEM_NOT_READY;
}

SIM_EXPORT CUresult cuInit(unsigned int flags)
{
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	static bool failed;
	static CUresult failure;
	bool first = !driver.ready;
	CUresult result = forked ? CUDA_ERROR_NOT_INITIALIZED : failed ? failure : CUDA_SUCCESS;
	if (result == CUDA_SUCCESS && !driver.ready) {
		result = start();
		failed = result != CUDA_SUCCESS; /* a driver that could not start stays so */
		failure = result;
	}
	driver_unlock();
	return result == CUDA_SUCCESS && first ? meet_others() : result;
}

CUresult driver_ready(void)
{
	return driver.ready ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}
