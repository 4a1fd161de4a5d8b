/*
 * vNPUs: made by template, asked about, destroyed. They outlive the process that made them.
 *
 * What a card's templates take stands in cards.conf ("templates"), so that the tables are in one place.
 */
#include <stdio.h>
#include <string.h>

#include "library.h"

#define FIRST 100 /* a chip's vNPUs are numbered from 100 + 16 times its number */

struct amounts {
	uint32_t memory, aicores, aicpus, dvpp;
};

static uint32_t first_id(const struct call *call)
{
	return FIRST + 16 * (uint32_t)dcmi_number(call, "phy", call->chip);
}

static uint32_t most(const struct call *call)
{
	long long number = dcmi_number(call, "vdevices", 16);
	return number > DCMI_VDEVS ? DCMI_VDEVS : (uint32_t)number;
}

/* "name/megabytes/aicores/aicpus/dvpp" items, separated by blanks. */
static bool template_of(const struct call *call, const char *name, struct amounts *takes)
{
	const char *text = dcmi_text(call, "templates", "");
	char found[33];
	int length;
	while (sscanf(text, " %32[^/]/%u/%u/%u/%u%n", found, &takes->memory, &takes->aicores, &takes->aicpus,
		      &takes->dvpp, &length) == 5) {
		if (strcmp(found, name) == 0)
			return true;
		text += length;
	}
	return false;
}

static struct amounts left(const struct call *call, const struct vdevice *all)
{
	struct amounts rest = {.memory = (uint32_t)dcmi_number(call, "memory", 0),
			       .aicores = (uint32_t)dcmi_number(call, "aicores", 0),
			       .aicpus = (uint32_t)dcmi_number(call, "aicpus", 0), .dvpp = 100};
	for (const struct vdevice *one = all; one < all + DCMI_VDEVS; one++) {
		if (!one->used)
			continue;
		rest.memory -= one->memory;
		rest.aicores -= one->aicores;
		rest.aicpus -= one->aicpus;
		rest.dvpp -= one->dvpp;
	}
	return rest;
}

static struct vdevice *by_id(struct vdevice *all, uint32_t id)
{
	for (struct vdevice *one = all; one < all + DCMI_VDEVS; one++)
		if (one->used && one->id == id)
			return one;
	return NULL;
}

static int choose_id(const struct call *call, struct vdevice *all, uint32_t *id)
{
	uint32_t first = first_id(call);
	if (*id != DCMI_ANY && (*id < first || *id >= first + most(call)))
		return DCMI_BAD_PARAMETER;
	if (*id != DCMI_ANY)
		return by_id(all, *id) ? DCMI_OCCUPIED : DCMI_OK;
	for (*id = first; *id < first + most(call); ++*id)
		if (!by_id(all, *id))
			return DCMI_OK;
	return DCMI_OCCUPIED;
}

static struct vdevice *free_entry(struct vdevice *all)
{
	struct vdevice *one = all;
	while (one < all + DCMI_VDEVS && one->used)
		one++;
	return one < all + DCMI_VDEVS ? one : NULL;
}

/* A chip on which programs run as a whole is not split. */
static int room(const struct call *call, const struct vdevice *all, const struct amounts *takes)
{
	struct amounts rest = left(call, all);
	bool fits = takes->memory <= rest.memory && takes->aicores <= rest.aicores && takes->aicpus <= rest.aicpus &&
		    takes->dvpp <= rest.dvpp;
	return fits && !*dcmi_text(call, "processes", "") ? DCMI_OK : (int)board_number(call->board, BOARD_MACHINE,
											  "full", DCMI_OCCUPIED);
}

static int enter_in_list(const struct call *call, struct vdevice *all, uint32_t *id, const char *template)
{
	struct amounts takes;
	struct vdevice *entry = free_entry(all);
	if (!template_of(call, template, &takes))
		return DCMI_BAD_PARAMETER;
	int code = entry ? choose_id(call, all, id) : DCMI_OCCUPIED;
	if (code == DCMI_OK)
		code = room(call, all, &takes);
	if (code != DCMI_OK)
		return code;
	*entry = (struct vdevice){.id = *id, .memory = takes.memory, .aicores = takes.aicores,
				  .aicpus = takes.aicpus, .dvpp = takes.dvpp};
	snprintf(entry->template, sizeof entry->template, "%s", template);
	__atomic_store_n(&entry->used, 1, __ATOMIC_RELEASE);
	return DCMI_OK;
}

static int create(const struct call *call, uint32_t id, const char *template, struct dcmi_create_vdev_out *made)
{
	struct state *state = board_lock(call->board, sizeof *state);
	char file[64];
	if (!state)
		return DCMI_INTERNAL;
	int code = enter_in_list(call, state->chips[call->chip], &id, template);
	if (code == DCMI_OK) {
		snprintf(file, sizeof file, "root/dev/vdavinci%u", id);
		board_put(call->board, file, "");
		*made = (struct dcmi_create_vdev_out){.vdev_id = id};
	}
	board_unlock(call->board);
	return code == DCMI_OK ? dcmi_leave(call, made, sizeof *made) : code;
}

/* A small number where a pointer should be is a caller that has taken the one form for the other. */
static bool pointer(uintptr_t value)
{
	return value >= 65536 && value < UINTPTR_MAX - 65536 && value != DCMI_ANY;
}

static int create_as_of_old(const struct call *call, uintptr_t third, uintptr_t fourth, uintptr_t fifth)
{
	struct dcmi_create_vdev_out *made = (struct dcmi_create_vdev_out *)fifth;
	if (pointer(third) || !pointer(fourth) || !pointer(fifth))
		return DCMI_BAD_PARAMETER;
	bool chooses = board_flag(call->board, BOARD_MACHINE, "chooses_ids", false);
	return create(call, chooses ? DCMI_ANY : (uint32_t)third, (const char *)fourth, made);
}

int dcmi_create_vdevice(int card, int device, uintptr_t third, uintptr_t fourth, uintptr_t fifth)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_create_vdevice", card, device);
	if (code != DCMI_OK)
		return code;
	if (strcmp(board_text(call.board, BOARD_MACHINE, "create", "today"), "old") == 0)
		return create_as_of_old(&call, third, fourth, fifth);
	const struct dcmi_create_vdev_res_stru *wanted = (const struct dcmi_create_vdev_res_stru *)third;
	if (!pointer(third) || !pointer(fourth) || !memchr(wanted->template_name, 0, sizeof wanted->template_name))
		return DCMI_BAD_PARAMETER;
	return create(&call, wanted->vdev_id, wanted->template_name, (struct dcmi_create_vdev_out *)fourth);
}

/* Ids of vNPUs that a container has, separated by commas: "in_use" of a card. */
static bool in_use(const struct call *call, uint32_t id)
{
	char item[16], list[1024];
	snprintf(item, sizeof item, ",%u,", id);
	snprintf(list, sizeof list, ",%s,", dcmi_text(call, "in_use", ""));
	return strstr(list, item) != NULL;
}

int dcmi_set_destroy_vdevice(int card, int device, unsigned int vdev_id)
{
	struct call call;
	char file[64];
	int code = dcmi_enter_chip(&call, "dcmi_set_destroy_vdevice", card, device);
	if (code != DCMI_OK)
		return code;
	if (in_use(&call, vdev_id))
		return DCMI_OCCUPIED;
	struct state *state = board_lock(call.board, sizeof *state);
	if (!state)
		return DCMI_INTERNAL;
	struct vdevice *one = by_id(state->chips[call.chip], vdev_id);
	if (one)
		one->used = 0;
	board_unlock(call.board);
	if (!one)
		return DCMI_NO_DEVICE;
	snprintf(file, sizeof file, "root/dev/vdavinci%u", vdev_id);
	board_drop(call.board, file);
	return dcmi_leave(&call, &code, sizeof code);
}

static struct dcmi_computing_resource computing(const struct amounts *amounts)
{
	return (struct dcmi_computing_resource){.aic = (float)amounts->aicores, .memory_size = amounts->memory,
						.device_aicpu = (uint16_t)amounts->aicpus};
}

static int tell_one(const struct call *call, struct vdevice *all, struct dcmi_vdev_query_stru *out)
{
	const struct vdevice *one = by_id(all, out->vdev_id);
	if (!one)
		return DCMI_NO_DEVICE;
	struct amounts has = {one->memory, one->aicores, one->aicpus, one->dvpp};
	memset(&out->query_info, 0, sizeof out->query_info);
	memcpy(out->query_info.name, one->template, sizeof out->query_info.name - 1);
	out->query_info.is_container_used = in_use(call, one->id);
	out->query_info.computing = computing(&has);
	return DCMI_OK;
}

static int tell_total(const struct call *call, struct vdevice *all, struct dcmi_soc_total_resource *out)
{
	struct vdevice none[DCMI_VDEVS] = {0};
	struct amounts whole = left(call, none);
	*out = (struct dcmi_soc_total_resource){.computing = computing(&whole)};
	for (struct vdevice *one = all; one < all + DCMI_VDEVS; one++)
		if (one->used)
			out->vdev_id[out->vdev_num++] = one->id;
	return DCMI_OK;
}

static int tell_free(const struct call *call, struct vdevice *all, struct dcmi_soc_free_resource *out)
{
	struct amounts rest = left(call, all);
	*out = (struct dcmi_soc_free_resource){.computing = computing(&rest)};
	return DCMI_OK;
}

static int tell(const struct call *call, unsigned int sub, void *buffer, unsigned int size, struct vdevice *all)
{
	if (sub == DCMI_ONE_VDEV && size == sizeof(struct dcmi_vdev_query_stru))
		return tell_one(call, all, buffer);
	if (sub == DCMI_TOTAL && size == sizeof(struct dcmi_soc_total_resource))
		return tell_total(call, all, buffer);
	if (sub == DCMI_FREE && size == sizeof(struct dcmi_soc_free_resource))
		return tell_free(call, all, buffer);
	return DCMI_BAD_PARAMETER;
}

static int super_pod(const struct call *call, struct dcmi_spod_info *out, unsigned int size)
{
	if (size != sizeof *out)
		return DCMI_BAD_PARAMETER;
	long long pod = dcmi_number(call, "super_pod", -1);
	if (pod < 0)
		return DCMI_NOT_SUPPORTED;
	*out = (struct dcmi_spod_info){.sdid = (uint32_t)call->chip, .super_pod_id = (uint32_t)pod};
	return dcmi_leave(call, out, sizeof *out);
}

int dcmi_get_device_info(int card, int device, enum dcmi_main_cmd main, unsigned int sub, void *buffer,
			 unsigned int *size)
{
	struct call call;
	int code = dcmi_enter_chip(&call, "dcmi_get_device_info", card, device);
	if (code != DCMI_OK || !buffer || !size)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	if (main == DCMI_CHIP_INF && sub == DCMI_SUPER_POD)
		return super_pod(&call, buffer, *size);
	if (main != DCMI_VDEV_MNG)
		return DCMI_NOT_SUPPORTED;
	struct state *state = board_lock(call.board, sizeof *state);
	if (!state)
		return DCMI_INTERNAL;
	code = tell(&call, sub, buffer, *size, state->chips[call.chip]);
	board_unlock(call.board);
	return code == DCMI_OK ? dcmi_leave(&call, buffer, *size) : code;
}
