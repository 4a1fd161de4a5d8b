/* Turns pass in the order of the slots. */
#include "schedule.h"

/* The first ready slot of those from `from` on, SIM_NOBODY if there is none. */
static uint32_t first_from(const struct sim_slots *ready, uint32_t from)
{
	for (uint32_t word = from / 64; word < SIM_PROCESSES / 64; word++) {
		uint64_t bits = ready->words[word];
		if (word == from / 64)
			bits &= UINT64_MAX << from % 64;
		if (bits)
			return word * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	return SIM_NOBODY;
}

/* The holder itself comes last. */
static uint32_t next_after(const struct sim_slots *ready, uint32_t slot)
{
	uint32_t next = first_from(ready, slot + 1);
	return next != SIM_NOBODY ? next : first_from(ready, 0);
}

uint32_t sim_turn_give(struct sim_turn *turn, const struct sim_slots *ready, uint64_t slice_ns, uint64_t *stop_ns)
{
	uint32_t next = next_after(ready, turn->slot);
	bool goes_on = turn->ends_ns && sim_slots_has(ready, turn->slot);
	if (next == SIM_NOBODY) {
		turn->ends_ns = 0;
		return SIM_NOBODY;
	}
	if (!goes_on || (turn->at_ns >= turn->ends_ns && next != turn->slot)) {
		turn->slot = next;
		turn->ends_ns = turn->at_ns + slice_ns;
		next = next_after(ready, turn->slot);
	}
	*stop_ns = next == turn->slot ? UINT64_MAX : turn->ends_ns;
	return turn->slot;
}

/* Who runs alone begins slice after slice, so that a newcomer waits for the rest of one. */
void sim_turn_pass(struct sim_turn *turn, uint64_t to_ns, uint64_t slice_ns)
{
	turn->at_ns = to_ns;
	if (to_ns > turn->ends_ns)
		turn->ends_ns += (to_ns - turn->ends_ns + slice_ns - 1) / slice_ns * slice_ns;
}
