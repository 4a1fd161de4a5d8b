/* The memory ledger of the cards: what is used, and by whom. */
#include "machine.h"
#include "past.h"

static bool take(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes)
{
	struct sim_card_state *state = &machine->state->cards[card];
	uint64_t total = machine->config.cards[card].memory_bytes;
	if (bytes > total || state->memory_used > total - bytes)
		return false;
	state->memory_used += bytes;
	process->memory[card] += bytes;
	sim_past_note(machine->state, process, card);
	return true;
}

static void give(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes)
{
	process->memory[card] -= bytes;
	machine->state->cards[card].memory_used -= bytes;
	sim_past_note(machine->state, process, card);
}

bool sim_memory_take(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes)
{
	sim_lock(machine->state);
	bool taken = take(machine, process, card, bytes);
	if (!taken) { /* only a card that seems full is worth a look at who died */
		sim_sweep(machine->state);
		taken = take(machine, process, card, bytes);
	}
	sim_unlock(machine->state);
	return taken;
}

void sim_memory_give(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes)
{
	sim_lock(machine->state);
	give(machine, process, card, bytes);
	sim_unlock(machine->state);
}

uint64_t sim_memory_free(struct sim_machine *machine, uint32_t card)
{
	sim_lock(machine->state);
	sim_sweep(machine->state);
	uint64_t used = machine->state->cards[card].memory_used;
	sim_unlock(machine->state);
	uint64_t total = machine->config.cards[card].memory_bytes;
	return used < total ? total - used : 0;
}

bool sim_context_begin(struct sim_machine *machine, struct sim_process *process, uint32_t card)
{
	sim_lock(machine->state);
	sim_sweep(machine->state);
	bool begun = take(machine, process, card, machine->config.cards[card].context_bytes);
	process->contexts[card] += begun;
	sim_past_note(machine->state, process, card);
	sim_unlock(machine->state);
	return begun;
}

void sim_context_end(struct sim_machine *machine, struct sim_process *process, uint32_t card)
{
	sim_lock(machine->state);
	process->contexts[card]--;
	give(machine, process, card, machine->config.cards[card].context_bytes);
	sim_unlock(machine->state);
}
