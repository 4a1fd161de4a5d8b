/*
 * Slices: made and unmade by anybody, they outlive the process that made them.
 *
 * Keys of cards.conf about what is uncertain, of the machine: `smlu_full_code`, when a card has no room for one more;
 * `smlu_same_name`, on when two slices of a card may have the same name; `smlu_node`, off when the driver makes the slice
 * and no device node.  Of a card: `busy`, names of slices that a program uses, each NAME or NAME:MIB:PERCENT, separated by
 * commas.
 */
#include "smlu.h"

#include <stdio.h>
#include <string.h>

static int slot_of(cndevMluInstance_t handle)
{
	return handle & 0xff;
}

static struct instance *instance_of(struct card_state *card, int id)
{
	return id >= 1 && id <= INSTANCES && card->instances[id].used ? &card->instances[id] : NULL;
}

static int id_of_name(struct card_state *card, const char *name)
{
	for (int id = 1; id <= INSTANCES; id++)
		if (instance_of(card, id) && strcmp(card->instances[id].name, name) == 0)
			return id;
	return 0;
}

/* Whether a program uses it; if so, how much of it. */
static bool busy(const struct call *call, cndevDevice_t device, const char *name, uint64_t *mib, uint32_t *percent)
{
	const char *text = board_text(call->board, device, "busy", "");
	size_t length = strlen(name);
	*mib = 0, *percent = 0;
	while (*name && text) {
		text += strspn(text, " ");
		if (strncmp(text, name, length) == 0 && strchr(":,", text[length])) {
			unsigned long long told = 0;
			(void)sscanf(text + length, ":%llu:%u", &told, percent);
			*mib = told;
			return true;
		}
		text = strchr(text, ',');
		text = text ? text + 1 : NULL;
	}
	return false;
}

static void node_path(char path[100], const char *before, cndevDevice_t device, int id)
{
	snprintf(path, 100, "%s/dev/cambricon-caps/cap_dev%d_mi%d", before, device, id);
}

static bool make_node(const struct call *call, cndevDevice_t device, int id)
{
	char path[100];
	node_path(path, "root", device, id);
	return !board_flag(call->board, BOARD_MACHINE, "smlu_node", true) || board_put(call->board, path, "");
}

static void describe(const struct call *call, cndevDevice_t device, struct card_state *card, int id, cndevSMluInfo_t *info)
{
	const struct instance *instance = &card->instances[id];
	const char *uuid = board_text(call->board, device, "uuid", "");
	unsigned domain = 0, bus = 0, place = 0, function = 0;
	uint64_t mib;
	uint32_t percent;
	(void)sscanf(board_text(call->board, device, "pci", ""), "%x:%x:%x.%x", &domain, &bus, &place, &function);
	busy(call, device, instance->name, &mib, &percent);
	*info = (cndevSMluInfo_t){
		.version = info->version, .profileId = instance->profile, .instanceId = id, .domain = (int32_t)domain,
		.bus = (int32_t)bus, .device = (int32_t)place, .function = (int32_t)function,
		.mluQuota = {instance->quota, percent}, .memorySize = {instance->memory, mib << 20},
	};
	/* An identity of its own, which begins like that of its card. */
	snprintf((char *)info->uuid, sizeof info->uuid, "%.24s%012x", uuid, id);
	snprintf(info->instanceName, sizeof info->instanceName, "%s", instance->name);
	node_path(info->devNodeName, "", device, id);
	struct profile *profile = cndev_smlu_profile(card, instance->profile);
	if (profile)
		cndev_smlu_profile_name(info->profileName, call, device, profile);
}

static cndevRet_t create(struct call *call, cndevDevice_t device, struct card_state *card, int64_t profile_id,
			 const char *name, cndevMluInstance_t *handle)
{
	const struct profile *profile = cndev_smlu_profile(card, profile_id);
	if (!profile || strlen(name) >= sizeof card->instances[0].name)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	if (*name && id_of_name(card, name) && !board_flag(call->board, BOARD_MACHINE, "smlu_same_name", false))
		return CNDEV_ERROR_DUPLICATE;
	if (!cndev_smlu_remaining(call, device, card, profile->quota, profile->memory))
		return (cndevRet_t)board_number(call->board, BOARD_MACHINE, "smlu_full_code",
						CNDEV_ERROR_INSUFFICIENT_SPACE);
	int id = 1;
	while (card->instances[id].used)
		id++;
	if (!make_node(call, device, id))
		return CNDEV_ERROR_UNKNOWN;
	struct instance *instance = &card->instances[id];
	instance->profile = (int32_t)profile_id;
	instance->quota = profile->quota;
	instance->memory = profile->memory;
	snprintf(instance->name, sizeof instance->name, "%s", name);
	instance->used = 1;
	*handle = id << 8 | device;
	return CNDEV_SUCCESS;
}

static cndevRet_t destroy(const struct call *call, cndevDevice_t device, struct card_state *card, int id)
{
	uint64_t mib;
	uint32_t percent;
	char path[100];
	struct instance *instance = instance_of(card, id);
	if (!instance)
		return CNDEV_ERROR_NOT_FOUND;
	if (busy(call, device, instance->name, &mib, &percent))
		return CNDEV_ERROR_IN_USE;
	instance->used = 0;
	node_path(path, "root", device, id);
	board_drop(call->board, path);
	return CNDEV_SUCCESS;
}

cndevRet_t cndevCreateSMluInstanceByProfileId(cndevMluInstance_t *instance, uint32_t profile, cndevDevice_t device,
					      char *name)
{
	struct call call;
	struct card_state *card;
	if (!instance || !name)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	return code ? code : cndev_smlu_end(&call, create(&call, device, card, profile, name, instance));
}

cndevRet_t cndevCreateSMluInstanceByProfileName(cndevMluInstance_t *instance, char *profile, cndevDevice_t device,
						char *name)
{
	struct call call;
	struct card_state *card;
	char known[100];
	if (!instance || !profile || !name)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	for (int id = 0; id < PROFILES; id++) {
		if (!card->profiles[id].used)
			continue;
		cndev_smlu_profile_name(known, &call, device, &card->profiles[id]);
		if (strcmp(known, profile) == 0)
			return cndev_smlu_end(&call, create(&call, device, card, id, name, instance));
	}
	return cndev_smlu_end(&call, CNDEV_ERROR_INVALID_ARGUMENT);
}

cndevRet_t cndevDestroySMluInstanceByHandle(cndevMluInstance_t instance)
{
	struct call call;
	struct card_state *card;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, slot_of(instance), &card);
	return code ? code : cndev_smlu_end(&call, destroy(&call, slot_of(instance), card, instance >> 8));
}

cndevRet_t cndevDestroySMluInstanceByInstanceName(cndevDevice_t device, char *name)
{
	struct call call;
	struct card_state *card;
	if (!name || !*name)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	return code ? code : cndev_smlu_end(&call, destroy(&call, device, card, id_of_name(card, name)));
}

cndevRet_t cndevGetSMluInstanceInfo(cndevSMluInfo_t *info, cndevMluInstance_t instance)
{
	struct call call;
	struct card_state *card;
	if (!info)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, slot_of(instance), &card);
	if (code)
		return code;
	code = cndev_check_version(call.board, info->version);
	if (!code && !instance_of(card, instance >> 8))
		code = CNDEV_ERROR_NOT_FOUND;
	if (!code)
		describe(&call, slot_of(instance), card, instance >> 8, info);
	board_unlock(call.board);
	return code ? code : cndev_leave(&call, info, sizeof *info);
}

static int32_t count_instances(struct card_state *card)
{
	int32_t count = 0;
	for (int id = 1; id <= INSTANCES; id++)
		count += instance_of(card, id) != NULL;
	return count;
}

static cndevRet_t describe_all(const struct call *call, cndevDevice_t device, struct card_state *card, int32_t *count,
			       cndevSMluInfo_t *infos)
{
	int32_t room = *count, place = 0;
	*count = count_instances(card);
	if (*count > room)
		return CNDEV_ERROR_INSUFFICIENT_SPACE;
	for (int id = 1; id <= INSTANCES; id++)
		if (instance_of(card, id))
			describe(call, device, card, id, &infos[place++]);
	return CNDEV_SUCCESS;
}

cndevRet_t cndevGetAllSMluInstanceInfo(int32_t *count, cndevSMluInfo_t *infos, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	if (!count || (*count && !infos))
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	if (*count)
		code = cndev_check_version(call.board, infos->version);
	if (!code)
		code = describe_all(&call, device, card, count, infos);
	board_unlock(call.board);
	return code ? code : cndev_leave(&call, infos, (size_t)*count * sizeof *infos);
}

/* The slice's own limits change, its profile does not. */
cndevRet_t cndevUpdateSMluInstanceQuotaByHandle(cndevMluInstance_t instance, cndevSMluSet_t *set)
{
	struct call call;
	struct card_state *card;
	int device = slot_of(instance);
	if (!set)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	struct instance *found = instance_of(card, instance >> 8);
	code = found ? cndev_smlu_accept(&call, device, set) : CNDEV_ERROR_NOT_FOUND;
	if (code)
		return cndev_smlu_end(&call, code);
	struct instance before = *found;
	found->used = 0;
	bool fits = cndev_smlu_remaining(&call, device, card, set->mluQuota, set->memorySize) > 0;
	*found = before;
	if (!fits)
		return cndev_smlu_end(&call, CNDEV_ERROR_INSUFFICIENT_SPACE);
	found->quota = set->mluQuota;
	found->memory = set->memorySize;
	return cndev_smlu_end(&call, CNDEV_SUCCESS);
}
