/* Splitting a card into slices (sMLU): what profiles and instances share. */
#ifndef HETERO_SIM_CNDEV_SMLU_H
#define HETERO_SIM_CNDEV_SMLU_H

#include "library.h"

/*
 * Begins a call about slices of a card: success leaves its state locked, and cndev_smlu_end must follow.
 * A card that is not in sMLU mode does not support any of them.
 */
cndevRet_t cndev_smlu_begin(struct call *call, const char *name, cndevDevice_t device, struct card_state **card);
cndevRet_t cndev_smlu_end(struct call *call, cndevRet_t code);

/* Of this size: how many instances the empty card could have, and how many more it can have now. */
uint32_t cndev_smlu_total(const struct call *call, cndevDevice_t device, uint32_t quota, uint64_t memory);
uint32_t cndev_smlu_remaining(const struct call *call, cndevDevice_t device, const struct card_state *card,
			      uint32_t quota, uint64_t memory);
struct profile *cndev_smlu_profile(struct card_state *card, int64_t id); /* NULL: there is none */
void cndev_smlu_profile_name(char name[100], const struct call *call, cndevDevice_t device, const struct profile *profile);
/* What the driver makes of a size; an error when no card of this kind can have it. */
cndevRet_t cndev_smlu_accept(const struct call *call, cndevDevice_t device, cndevSMluSet_t *set);

#endif
