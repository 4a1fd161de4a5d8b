/* Each process keeps a short ring of what it had; who ends leaves it behind. */
#include "past.h"

static uint64_t eighth_of(const struct sim_state *state, uint64_t ns)
{
	uint64_t length = state->lag_ns / 8;
	return ns / (length ? length : 1);
}

static bool on_card(const struct sim_process *process, uint32_t card)
{
	return process->contexts[card] || process->memory[card];
}

void sim_past_note(struct sim_state *state, struct sim_process *process, uint32_t card)
{
	if (!state->lag_ns)
		return;
	struct sim_past *past = &process->past[card];
	uint64_t eighth = eighth_of(state, sim_now());
	if (past->had[past->newest].eighth != eighth)
		past->newest = (past->newest + 1) % SIM_PAST;
	past->had[past->newest] = (struct sim_had){
		.eighth = eighth, .bytes = process->memory[card], .present = on_card(process, card)};
}

void sim_past_end(struct sim_state *state, const struct sim_process *process)
{
	for (uint32_t card = 0; state->lag_ns && card < SIM_PLACES; card++) {
		if (!on_card(process, card))
			continue;
		state->gone[state->gone_next] = (struct sim_gone){
			.pid = process->pid, .card = card, .ended_ns = sim_now(), .past = process->past[card]};
		state->gone_next = (state->gone_next + 1) % SIM_GONE;
	}
}

/* The newest entry that is old enough. */
static bool had(const struct sim_past *past, uint64_t eighth, uint64_t *bytes)
{
	for (uint32_t back = 0; back < SIM_PAST; back++) {
		const struct sim_had *entry = &past->had[(past->newest + SIM_PAST - back) % SIM_PAST];
		if (entry->eighth > eighth)
			continue;
		*bytes = entry->bytes;
		return entry->present;
	}
	return false;
}

static unsigned list_now(const struct sim_state *state, uint32_t card, struct sim_listed *listed)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < state->slots_used; i++) {
		const struct sim_process *process = &state->processes[i];
		if (process->taken && on_card(process, card))
			listed[count++] = (struct sim_listed){.pid = process->pid, .bytes = process->memory[card]};
	}
	return count;
}

static unsigned list_then(const struct sim_state *state, uint32_t card, uint64_t then, struct sim_listed *listed)
{
	unsigned count = 0;
	uint64_t eighth = eighth_of(state, then), bytes;
	for (uint32_t i = 0; i < state->slots_used; i++) {
		const struct sim_process *process = &state->processes[i];
		if (process->taken && had(&process->past[card], eighth, &bytes))
			listed[count++] = (struct sim_listed){.pid = process->pid, .bytes = bytes};
	}
	for (uint32_t i = 0; i < SIM_GONE; i++) {
		const struct sim_gone *gone = &state->gone[i];
		if (gone->pid && gone->card == card && gone->ended_ns > then && had(&gone->past, eighth, &bytes))
			listed[count++] = (struct sim_listed){.pid = gone->pid, .bytes = bytes};
	}
	return count;
}

unsigned sim_past_list(const struct sim_state *state, uint32_t card, uint64_t now, struct sim_listed *listed)
{
	if (!state->lag_ns)
		return list_now(state, card, listed);
	return list_then(state, card, now > state->lag_ns ? now - state->lag_ns : 0, listed);
}
