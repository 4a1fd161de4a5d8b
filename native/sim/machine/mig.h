/*
 * MIG: the instances of a card, as all processes see them.
 *
 * A compute instance is a card of its own to programs: it has a place behind the machine's cards, with a memory ledger
 * and a schedule like theirs (SIM_CARDS to SIM_PLACES - 1).
 */
#ifndef HETERO_SIM_MIG_H
#define HETERO_SIM_MIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

#define SIM_INSTANCES 7 /* of a card, and compute instances of one of them */

struct sim_compute_instance {
	uint32_t taken, slices, start; /* compute slices of its instance */
	uint32_t device;          /* index among the card's MIG devices */
	uint32_t place;           /* 0: all were taken when it was made, so no program can use it */
	uint8_t uuid[16];
};

struct sim_gpu_instance {
	uint32_t taken, id, start; /* start: memory slice */
	uint32_t profile;         /* index into the layout's */
	struct sim_compute_instance compute[SIM_INSTANCES];
};

struct sim_mig {
	uint32_t known;           /* the mode is that of here, no longer that of cards.conf */
	uint32_t current, pending;
	uint32_t resets;          /* of the card that have been seen */
	struct sim_gpu_instance instances[SIM_INSTANCES];
};

/* What the hardware can be cut into. Source: NVIDIA Multi-Instance GPU User Guide; ids as drivers tell them. */
struct sim_profile {
	uint32_t number, id;      /* by which one asks, and which one gets */
	uint32_t slices, places;  /* compute, memory */
	uint32_t most;
	uint32_t step;            /* places where it may begin: multiples of this */
	bool media;
};

struct sim_layout {
	uint32_t slices, places, count;
	struct sim_profile profiles[SIM_INSTANCES];
};

const struct sim_layout *sim_layout_of(const struct sim_card_config *card);
uint64_t sim_profile_memory(const struct sim_card_config *card, const struct sim_profile *profile); /* MiB */
uint32_t sim_profile_multiprocessors(const struct sim_card_config *card, const struct sim_profile *profile);
/* As NVIDIA names it: "1g.5gb"; a compute instance of fewer slices has "1c." in front. */
void sim_profile_name(const struct sim_card_config *card, const struct sim_profile *profile, uint32_t slices,
		      char name[64]);

struct sim_machine;

/* All with the machine's lock held. The mode and the instances of a card; a reset that was not seen yet takes effect. */
struct sim_mig *sim_mig_of(struct sim_machine *machine, uint32_t card);
/* True when a profile may begin there and nothing is in its way. */
bool sim_mig_fits(const struct sim_layout *layout, const struct sim_mig *mig, const struct sim_profile *profile,
		  uint32_t start);
/* NULL when there is no room. A start beyond all places leaves the choice to the driver. */
struct sim_gpu_instance *sim_mig_make(const struct sim_layout *layout, struct sim_mig *mig,
				      const struct sim_profile *profile, uint32_t start);
/* First compute slice where so many are free; the number of slices when there is none. */
uint32_t sim_compute_room(const struct sim_layout *layout, const struct sim_gpu_instance *instance, uint32_t slices);
struct sim_compute_instance *sim_compute_make(struct sim_machine *machine, uint32_t card,
					      struct sim_gpu_instance *instance, uint32_t slices, uint32_t start);
/* True when a process uses it. */
bool sim_compute_used(struct sim_machine *machine, const struct sim_compute_instance *compute);

#define SIM_UUID_TEXT 41
void sim_uuid_text(const uint8_t uuid[16], char text[SIM_UUID_TEXT]); /* "MIG-..." */

/*
 * The place of the compute instance whose identity begins with this text; 0 when there is not just one, or it has none.
 * Its card is written into the machine as this process knows it.
 */
uint32_t sim_mig_place(struct sim_machine *machine, const char *prefix);

#endif
