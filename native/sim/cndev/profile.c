/*
 * The mode of a card, and the profiles of its slices.
 *
 * What nobody has told us of the real driver is a key of cards.conf, of the machine: `smlu_round_mib`, to multiples of
 * which it rounds memory; `smlu_round_down = on`; `smlu_too_large_code`, for a profile larger than the card.
 */
#include "smlu.h"

#include <stdio.h>
#include <string.h>

#define MIB (1024ull * 1024ull)

static bool mode_is_on(const struct call *call, cndevDevice_t device, const struct card_state *card)
{
	return card->mode ? card->mode == 2 : board_flag(call->board, device, "smlu", false);
}

static cndevRet_t begin(struct call *call, cndevDevice_t device, struct card_state **card)
{
	struct state *state = cndev_lock(call);
	if (!state)
		return CNDEV_ERROR_UNKNOWN;
	*card = &state->cards[device];
	return CNDEV_SUCCESS;
}

cndevRet_t cndev_smlu_begin(struct call *call, const char *name, cndevDevice_t device, struct card_state **card)
{
	cndevRet_t code = cndev_enter_card(call, name, device);
	if (!code)
		code = begin(call, device, card);
	if (code)
		return code;
	if (mode_is_on(call, device, *card))
		return CNDEV_SUCCESS;
	board_unlock(call->board);
	return CNDEV_ERROR_NOT_SUPPORTED;
}

cndevRet_t cndev_smlu_end(struct call *call, cndevRet_t code)
{
	board_unlock(call->board);
	if (!code && call->fault.dies_after)
		board_die();
	return code;
}

static uint64_t memory_of(const struct call *call, cndevDevice_t device)
{
	/* What the driver keeps of a card that is split. */
	long long kept = board_number(call->board, device, "smlu_reserved_mib", 0);
	return (uint64_t)(board_number(call->board, device, "memory_mib", 0) - kept) * MIB;
}

static uint32_t least(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t two = a < b ? a : b;
	return (uint32_t)(two < c ? two : c);
}

uint32_t cndev_smlu_total(const struct call *call, cndevDevice_t device, uint32_t quota, uint64_t memory)
{
	return least(100 / quota, memory_of(call, device) / memory, INSTANCES);
}

uint32_t cndev_smlu_remaining(const struct call *call, cndevDevice_t device, const struct card_state *card,
			      uint32_t quota, uint64_t memory)
{
	uint64_t quota_left = 100, memory_left = memory_of(call, device), places_left = INSTANCES;
	for (int id = 1; id <= INSTANCES; id++) {
		const struct instance *instance = &card->instances[id];
		if (!instance->used)
			continue;
		quota_left -= instance->quota < quota_left ? instance->quota : quota_left;
		memory_left -= instance->memory < memory_left ? instance->memory : memory_left;
		places_left--;
	}
	return least(quota_left / quota, memory_left / memory, places_left);
}

struct profile *cndev_smlu_profile(struct card_state *card, int64_t id)
{
	return id >= 0 && id < PROFILES && card->profiles[id].used ? &card->profiles[id] : NULL;
}

/* Such as 12.000m.78.784gb: clusters, then memory. */
void cndev_smlu_profile_name(char name[100], const struct call *call, cndevDevice_t device, const struct profile *profile)
{
	double clusters = (double)board_number(call->board, device, "clusters", 12) * profile->quota / 100;
	snprintf(name, 100, "%.3fm.%.3fgb", clusters, (double)profile->memory / MIB / 1024);
}

cndevRet_t cndev_smlu_accept(const struct call *call, cndevDevice_t device, cndevSMluSet_t *set)
{
	uint64_t step = (uint64_t)board_number(call->board, BOARD_MACHINE, "smlu_round_mib", 1) * MIB;
	bool down = board_flag(call->board, BOARD_MACHINE, "smlu_round_down", false);
	long long too_large = board_number(call->board, BOARD_MACHINE, "smlu_too_large_code", CNDEV_ERROR_INVALID_ARGUMENT);
	if (!set->mluQuota || set->mluQuota > 100 || !set->memorySize || !step)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	if (set->memorySize > memory_of(call, device))
		return (cndevRet_t)too_large;
	uint64_t rounded = (set->memorySize + (down ? 0 : step - 1)) / step * step;
	if (!rounded)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	set->memorySize = rounded < memory_of(call, device) ? rounded : memory_of(call, device);
	return CNDEV_SUCCESS;
}

cndevRet_t cndevGetSMLUMode(cndevSMLUMode_t *mode, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, mode, &mode->version);
	if (!code && !board_flag(call.board, device, "smlu_supported", true))
		return CNDEV_ERROR_NOT_SUPPORTED;
	if (!code)
		code = begin(&call, device, &card);
	if (code)
		return code;
	mode->smluMode = mode_is_on(&call, device, card);
	board_unlock(call.board);
	return cndev_leave(&call, mode, sizeof *mode);
}

/* What cnmon does; a card that has slices stays as it is. */
cndevRet_t cndevSetSMLUMode(cndevSMLUMode_t *mode, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	cndevRet_t code = cndev_enter_query(&call, __func__, device, mode, &mode->version);
	if (!code && !board_flag(call.board, device, "smlu_supported", true))
		return CNDEV_ERROR_NOT_SUPPORTED;
	if (!code)
		code = begin(&call, device, &card);
	if (code)
		return code;
	for (int id = 1; id <= INSTANCES; id++)
		if (card->instances[id].used)
			return cndev_smlu_end(&call, CNDEV_ERROR_IN_USE);
	memset(card->profiles, 0, sizeof card->profiles);
	card->mode = mode->smluMode ? 2 : 1;
	return cndev_smlu_end(&call, CNDEV_SUCCESS);
}

cndevRet_t cndevCreateSMluProfileInfo(cndevSMluSet_t *set, int32_t *profile, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	if (!set || !profile)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	code = cndev_check_version(call.board, set->version);
	if (!code)
		code = cndev_smlu_accept(&call, device, set);
	if (code)
		return cndev_smlu_end(&call, code);
	for (int id = 0; id < PROFILES; id++) {
		if (card->profiles[id].used)
			continue;
		card->profiles[id].quota = set->mluQuota;
		card->profiles[id].memory = set->memorySize;
		card->profiles[id].used = 1;
		*profile = id;
		return cndev_smlu_end(&call, CNDEV_SUCCESS);
	}
	return cndev_smlu_end(&call, CNDEV_ERROR_INSUFFICIENT_SPACE);
}

/* Of a profile that has instances the documentation says DUPLICATE, not IN_USE. */
cndevRet_t cndevDestroySMluProfileInfo(int32_t profile, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	struct profile *found = cndev_smlu_profile(card, profile);
	if (!found)
		return cndev_smlu_end(&call, CNDEV_ERROR_INVALID_ARGUMENT);
	for (int id = 1; id <= INSTANCES; id++)
		if (card->instances[id].used && card->instances[id].profile == profile)
			return cndev_smlu_end(&call, CNDEV_ERROR_DUPLICATE);
	found->used = 0;
	return cndev_smlu_end(&call, CNDEV_SUCCESS);
}

cndevRet_t cndevGetSMluProfileIdInfo(cndevSMluProfileIdInfo_t *profiles, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	if (!profiles)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	code = cndev_check_version(call.board, profiles->version);
	profiles->count = 0;
	for (int id = 0; id < PROFILES && !code; id++)
		if (card->profiles[id].used)
			profiles->profileId[profiles->count++] = id;
	board_unlock(call.board);
	return code ? code : cndev_leave(&call, profiles, sizeof *profiles);
}

cndevRet_t cndevGetSMluProfileInfo(cndevSMluProfileInfo_t *info, int32_t profile, cndevDevice_t device)
{
	struct call call;
	struct card_state *card;
	if (!info)
		return CNDEV_ERROR_INVALID_ARGUMENT;
	cndevRet_t code = cndev_smlu_begin(&call, __func__, device, &card);
	if (code)
		return code;
	const struct profile *found = cndev_smlu_profile(card, profile);
	code = cndev_check_version(call.board, info->version);
	if (code || !found)
		return cndev_smlu_end(&call, code ? code : CNDEV_ERROR_INVALID_ARGUMENT);
	*info = (cndevSMluProfileInfo_t){
		.version = info->version, .profileId = profile, .mluQuota = {found->quota}, .memorySize = {found->memory},
		.totalCapacity = cndev_smlu_total(&call, device, found->quota, found->memory),
		.remainCapacity = cndev_smlu_remaining(&call, device, card, found->quota, found->memory),
	};
	cndev_smlu_profile_name(info->name, &call, device, found);
	board_unlock(call.board);
	return cndev_leave(&call, info, sizeof *info);
}
