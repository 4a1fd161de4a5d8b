/* The layouts of cards that can be cut, and what a profile has of a card. */
#include "mig.h"

#include <stdio.h>

static const struct sim_layout seven = {
	.slices = 7, .places = 8, .count = 7,
	.profiles = {
		{.number = 0, .id = 19, .slices = 1, .places = 1, .most = 7, .step = 1},
		{.number = 1, .id = 14, .slices = 2, .places = 2, .most = 3, .step = 2},
		{.number = 2, .id = 9, .slices = 3, .places = 4, .most = 2, .step = 4},
		{.number = 3, .id = 5, .slices = 4, .places = 4, .most = 1, .step = 8},
		{.number = 4, .id = 0, .slices = 7, .places = 8, .most = 1, .step = 8, .media = true},
		{.number = 7, .id = 20, .slices = 1, .places = 1, .most = 1, .step = 1, .media = true},
		{.number = 9, .id = 15, .slices = 1, .places = 2, .most = 4, .step = 2},
	},
};

static const struct sim_layout four = {
	.slices = 4, .places = 4, .count = 3,
	.profiles = {
		{.number = 0, .id = 14, .slices = 1, .places = 1, .most = 4, .step = 1},
		{.number = 1, .id = 5, .slices = 2, .places = 2, .most = 2, .step = 2},
		{.number = 3, .id = 0, .slices = 4, .places = 4, .most = 1, .step = 4, .media = true},
	},
};

const struct sim_layout *sim_layout_of(const struct sim_card_config *card)
{
	return card->mig_slices == 4 ? &four : &seven;
}

/* As cards.conf says for 1, 2, 4 and 8 memory slices; else what an even cut leaves when a tenth is kept. */
uint64_t sim_profile_memory(const struct sim_card_config *card, const struct sim_profile *profile)
{
	uint32_t power = 0;
	while (1u << power < profile->places)
		power++;
	if (card->mig_memory[power])
		return card->mig_memory[power];
	return card->memory_bytes / SIM_MIB * profile->places * 9 / (sim_layout_of(card)->places * 10);
}

/*
 * A whole number of pairs for each slice, as an A100 has 14 of its 108; newer cards give the largest profile all
 * that they have. (An H100 has more than that in some, which is not simulated.)
 */
uint32_t sim_profile_multiprocessors(const struct sim_card_config *card, const struct sim_profile *profile)
{
	const struct sim_layout *layout = sim_layout_of(card);
	uint32_t all = (uint32_t)card->sm_count, each = (all / layout->places + 1) / 2 * 2;
	if (profile->slices == layout->slices && card->compute_major >= 9)
		return all;
	return each * profile->slices < all ? each * profile->slices : all;
}

/* NVIDIA's rule: the eighths of the card that the memory needs, of the card's size in GiB, rounded half up. */
static unsigned gigabytes(const struct sim_card_config *card, uint64_t memory)
{
	uint64_t total = card->memory_bytes / SIM_MIB;
	uint64_t eighths = (8 * memory + total - 1) / total, size = (total + 1023) / 1024;
	return (unsigned)((2 * eighths * size + 8) / 16);
}

void sim_profile_name(const struct sim_card_config *card, const struct sim_profile *profile, uint32_t slices,
		      char name[64])
{
	char part[16] = "";
	const char *extra = profile->media && profile->slices == 1 ? "+me" : "";
	if (slices != profile->slices)
		snprintf(part, sizeof part, "%uc.", slices);
	snprintf(name, 64, "%s%ug.%ugb%s", part, profile->slices, gigabytes(card, sim_profile_memory(card, profile)),
		 extra);
}
