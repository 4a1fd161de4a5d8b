/*
 * The queues of the processes, played by the schedule.
 *
 * Cards are independent of each other unless a work waits for one of another
 * card.  While there is such a work all cards are played side by side, from one
 * stop to the next.
 */
#include "machine.h"
#include "schedule.h"
#include "window.h"

#define LOOK_AHEAD 4096          /* turns that a prediction goes through */
#define ROOM 64                  /* works that make it worth going on after a full queue... */
#define ROOM_NS 1000000ull       /* ...unless the first of them takes longer than this */

static struct sim_work *work_at(struct sim_process *process, uint64_t number)
{
	return &process->queue[number % SIM_QUEUE];
}

/* Ticket n is the work of number n - 1. */
static const struct sim_work *work_of(const struct sim_process *process, uint64_t ticket)
{
	return &process->queue[(ticket - 1) % SIM_QUEUE];
}

bool sim_work_ended(const struct sim_process *process, uint64_t ticket, uint64_t *end_ns)
{
	*end_ns = 0;
	if (ticket <= process->queue_tail)
		return true;
	*end_ns = work_of(process, ticket)->end_ns;
	return *end_ns != 0;
}

static bool has_ended(const struct sim_process *process, uint64_t ticket)
{
	uint64_t end;
	return sim_work_ended(process, ticket, &end);
}

static void mark_waiting(struct sim_state *state, const struct sim_process *process, uint32_t card, bool waits)
{
	uint32_t slot = (uint32_t)(process - state->processes);
	uint64_t bit = 1ull << slot % 64;
	uint64_t *word = &state->cards[card].waiting.words[slot / 64];
	*word = waits ? *word | bit : *word & ~bit;
}

/* Moves on to the process's next work of the card that has not ended. */
static void find_next(struct sim_state *state, struct sim_process *process, uint32_t card)
{
	uint64_t number = process->next[card] > process->queue_tail ? process->next[card] : process->queue_tail;
	while (number < process->queue_head) {
		const struct sim_work *work = work_at(process, number);
		if (work->card == card && !work->end_ns)
			break;
		number++;
	}
	process->next[card] = number;
	mark_waiting(state, process, card, number < process->queue_head);
}

static void end_work(struct sim_state *state, struct sim_process *process, struct sim_work *work, uint64_t now)
{
	work->end_ns = now;
	state->crossings -= work->after != 0;
	find_next(state, process, work->card);
	while (process->queue_tail < process->queue_head && work_at(process, process->queue_tail)->end_ns)
		process->queue_tail++;
}

static bool blocked(const struct sim_process *process, uint32_t card)
{
	const struct sim_work *work = &process->queue[process->next[card] % SIM_QUEUE];
	return work->after && !has_ended(process, work->after);
}

/* Those that have work on the card which need not wait for another card. */
static struct sim_slots ready_slots(const struct sim_state *state, uint32_t card)
{
	struct sim_slots ready = state->cards[card].waiting;
	for (uint32_t slot = 0; state->crossings && slot < state->slots_used; slot++)
		if (sim_slots_has(&ready, slot) && blocked(&state->processes[slot], card))
			ready.words[slot / 64] &= ~(1ull << slot % 64);
	return ready;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run(struct sim_state *state, uint32_t card, uint32_t slot, uint64_t to_ns)
{
	struct sim_turn *turn = &state->cards[card].turn;
	struct sim_process *process = &state->processes[slot];
	struct sim_work *work = work_at(process, process->next[card]);
	uint64_t from_ns = turn->at_ns;
	if (!work->start_ns)
		work->start_ns = from_ns;
	sim_window_add(&state->cards[card].window, from_ns, to_ns);
	sim_window_add(&process->window[card], from_ns, to_ns);
	work->remaining_ns -= to_ns - from_ns;
	process->pending_ns[card] -= to_ns - from_ns;
	sim_turn_pass(turn, to_ns, state->timeslice_ns);
	if (!work->remaining_ns)
		end_work(state, process, work, to_ns);
}

/* One stretch of one work, at most up to `until`; false when there is nothing to do before that. */
static bool step(struct sim_state *state, uint32_t card, const struct sim_slots *ready, uint64_t until)
{
	struct sim_turn *turn = &state->cards[card].turn;
	uint64_t stop, present = until > turn->at_ns ? until : turn->at_ns;
	uint32_t slot = sim_turn_give(turn, ready, state->timeslice_ns, &stop);
	if (slot == SIM_NOBODY) {
		turn->at_ns = present;
		return false;
	}
	struct sim_process *process = &state->processes[slot];
	uint64_t remaining = work_at(process, process->next[card])->remaining_ns;
	if (remaining && turn->at_ns == present)
		return false;
	run(state, card, slot, earlier(turn->at_ns + remaining, earlier(stop, present)));
	return true;
}

static void play_card(struct sim_state *state, uint32_t card, uint64_t until)
{
	struct sim_slots ready;
	do
		ready = ready_slots(state, card);
	while (step(state, card, &ready, until));
}

/* When the card's present stretch ends, if it is left alone. */
static uint64_t next_stop(struct sim_state *state, uint32_t card, const struct sim_slots *ready)
{
	struct sim_turn turn = state->cards[card].turn;
	uint64_t stop;
	uint32_t slot = sim_turn_give(&turn, ready, state->timeslice_ns, &stop);
	if (slot == SIM_NOBODY)
		return UINT64_MAX;
	struct sim_process *process = &state->processes[slot];
	return earlier(stop, turn.at_ns + work_at(process, process->next[card])->remaining_ns);
}

/* What ends on one card may let works of another begin, but not before the next stop. */
static void play_side_by_side(struct sim_state *state, uint64_t now)
{
	struct sim_slots ready[SIM_PLACES];
	uint64_t until;
	bool done;
	do {
		done = false;
		until = now;
		for (uint32_t card = 0; card < state->cards_used; card++) {
			ready[card] = ready_slots(state, card);
			until = earlier(until, next_stop(state, card, &ready[card]));
		}
		for (uint32_t card = 0; card < state->cards_used; card++)
			done |= step(state, card, &ready[card], until);
	} while (done || until < now);
}

void sim_play(struct sim_state *state, uint32_t card, uint64_t now)
{
	if (state->crossings)
		play_side_by_side(state, now);
	else
		play_card(state, card, now);
}

uint64_t sim_play_on(struct sim_state *state, uint32_t card)
{
	sim_take_part();
	sim_sweep_card(state, card);
	uint64_t now = sim_now();
	sim_play(state, card, now);
	return now;
}

/* From here on the cards go side by side, so they have to be at one time. */
static uint64_t cross(struct sim_state *state, const struct sim_process *process, uint32_t card, uint64_t after)
{
	if (has_ended(process, after) || work_of(process, after)->card == card)
		return 0;
	for (uint32_t other = 0; other < state->cards_used; other++)
		sim_play(state, other, state->cards[card].turn.at_ns);
	state->crossings++;
	return after;
}

uint64_t sim_work_queue(struct sim_state *state, struct sim_process *process, uint32_t card,
			uint64_t duration_ns, uint64_t after)
{
	if (process->queue_head - process->queue_tail == SIM_QUEUE)
		return 0;
	after = cross(state, process, card, after);
	*work_at(process, process->queue_head) =
		(struct sim_work){.remaining_ns = duration_ns, .after = after, .card = card};
	process->queue_head++;
	process->pending_ns[card] += duration_ns;
	find_next(state, process, card);
	if (!duration_ns)
		sim_play(state, card, state->cards[card].turn.at_ns);
	return process->queue_head;
}

/* What the process has to do on the card until the work has ended. */
static uint64_t left_until(const struct sim_process *process, uint32_t card, uint64_t ticket)
{
	uint64_t left = 0;
	if (ticket == process->queue_head)
		return process->pending_ns[card];
	for (uint64_t number = process->next[card]; number < ticket; number++) {
		const struct sim_work *work = &process->queue[number % SIM_QUEUE];
		left += work->card == card && !work->end_ns ? work->remaining_ns : 0;
	}
	return left;
}

/* Plays the turns of the card ahead, by what each process has left there. */
static uint64_t predict(const struct sim_state *state, uint32_t card, uint32_t wanted, uint64_t left)
{
	struct sim_slots ready = ready_slots(state, card);
	struct sim_turn turn = state->cards[card].turn;
	uint64_t pending[SIM_PROCESSES], stop;
	for (uint32_t slot = 0; slot < state->slots_used; slot++)
		pending[slot] = state->processes[slot].pending_ns[card];
	pending[wanted] = left ? left : 1; /* a work without duration ends when its turn comes */
	for (int i = 0; i < LOOK_AHEAD && pending[wanted]; i++) {
		uint32_t slot = sim_turn_give(&turn, &ready, state->timeslice_ns, &stop);
		if (slot == SIM_NOBODY)
			break;
		uint64_t to = earlier(stop, turn.at_ns + pending[slot]);
		pending[slot] -= to - turn.at_ns;
		sim_turn_pass(&turn, to, state->timeslice_ns);
		if (!pending[slot])
			ready.words[slot / 64] &= ~(1ull << slot % 64);
	}
	return turn.at_ns;
}

uint64_t sim_work_expected(struct sim_state *state, const struct sim_process *process, uint64_t ticket)
{
	uint32_t card = work_of(process, ticket)->card;
	while (blocked(process, card)) { /* by an older work, so this comes to an end */
		ticket = process->queue[process->next[card] % SIM_QUEUE].after;
		card = work_of(process, ticket)->card;
	}
	uint32_t slot = (uint32_t)(process - state->processes);
	return predict(state, card, slot, left_until(process, card, ticket));
}

uint64_t sim_work_room(struct sim_state *state, const struct sim_process *process)
{
	uint64_t first = sim_work_expected(state, process, process->queue_tail + 1);
	uint32_t card = work_of(process, process->queue_tail + 1)->card;
	uint64_t soon = state->cards[card].turn.at_ns + ROOM_NS;
	if (first >= soon || has_ended(process, process->queue_tail + ROOM))
		return first;
	return earlier(soon, sim_work_expected(state, process, process->queue_tail + ROOM));
}

static uint64_t busy_before(const struct sim_window *window, uint64_t now)
{
	uint64_t busy = sim_window_busy(window, now > SIM_SECOND_NS ? now - SIM_SECOND_NS : 0, now);
	return earlier(busy, SIM_SECOND_NS);
}

uint64_t sim_card_busy(const struct sim_state *state, uint32_t card, uint64_t now)
{
	return busy_before(&state->cards[card].window, now - state->lag_ns);
}

uint64_t sim_process_busy(const struct sim_state *state, const struct sim_process *process, uint32_t card, uint64_t now)
{
	return busy_before(&process->window[card], now - state->lag_ns);
}

bool sim_work_drop(struct sim_state *state, struct sim_process *process)
{
	bool some = process->queue_tail != process->queue_head;
	for (uint64_t number = process->queue_tail; number < process->queue_head; number++) {
		const struct sim_work *work = work_at(process, number);
		state->crossings -= work->after && !work->end_ns;
	}
	for (uint32_t card = 0; card < SIM_PLACES; card++)
		mark_waiting(state, process, card, false);
	return some;
}

static void recount_process(struct sim_state *state, struct sim_process *process)
{
	for (uint32_t card = 0; card < SIM_PLACES; card++) {
		process->pending_ns[card] = 0;
		process->next[card] = process->queue_tail;
		find_next(state, process, card);
	}
	for (uint64_t number = process->queue_tail; number < process->queue_head; number++) {
		const struct sim_work *work = work_at(process, number);
		if (work->end_ns)
			continue;
		process->pending_ns[work->card] += work->remaining_ns;
		state->crossings += work->after != 0;
	}
}

void sim_work_recount(struct sim_state *state)
{
	state->crossings = 0;
	for (uint32_t slot = 0; slot < state->slots_used; slot++)
		if (state->processes[slot].taken)
			recount_process(state, &state->processes[slot]);
}
