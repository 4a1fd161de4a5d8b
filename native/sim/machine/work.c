/*
 * A card as a server: first come, first served, one kernel at a time, across
 * all streams and processes.  Work is booked when it is queued, so its start and
 * its end are known at once and waiting for it is sleeping until then.
 *
 * Booked work counts as busy time when it has run: sim_work_settle moves what has
 * ended from a process's queue to the windows.
 */
#include "machine.h"
#include "window.h"
#include "work.h"

void sim_work_settle(struct sim_state *state, struct sim_process *process, uint64_t now)
{
	while (process->queue_tail != process->queue_head) {
		const struct sim_work *work = &process->queue[process->queue_tail % SIM_QUEUE];
		if (work->end_ns > now)
			break;
		sim_window_add(&state->cards[work->card].window, work->start_ns, work->end_ns);
		sim_window_add(&process->window[work->card], work->start_ns, work->end_ns);
		process->queue_tail++;
	}
}

static uint64_t book(struct sim_state *state, struct sim_process *process, uint32_t card, uint64_t duration_ns,
		     uint64_t earliest_ns)
{
	uint64_t start = state->cards[card].busy_until_ns;
	if (start < earliest_ns)
		start = earliest_ns;
	uint64_t end = start + duration_ns;
	process->queue[process->queue_head % SIM_QUEUE] =
		(struct sim_work){.start_ns = start, .end_ns = end, .card = card};
	process->queue_head++;
	process->busy_until_ns[card] = end;
	state->cards[card].busy_until_ns = end;
	return end;
}

uint64_t sim_work_queue(struct sim_machine *machine, struct sim_process *process, uint32_t card,
			uint64_t duration_ns, uint64_t not_before_ns)
{
	for (;;) {
		uint64_t end = 0, room_at = 0;
		sim_lock(machine->state);
		uint64_t now = sim_now();
		sim_work_settle(machine->state, process, now);
		if (process->queue_head - process->queue_tail < SIM_QUEUE)
			end = book(machine->state, process, card, duration_ns,
				   now > not_before_ns ? now : not_before_ns);
		else
			room_at = process->queue[process->queue_tail % SIM_QUEUE].end_ns;
		sim_unlock(machine->state);
		if (end)
			return end;
		sim_sleep_until(room_at);
	}
}

/* The part of the queue that has run within the window but has not been settled. */
static uint64_t running(const struct sim_process *process, uint32_t card, uint64_t from, uint64_t now)
{
	uint64_t busy = 0;
	for (uint64_t i = process->queue_tail; i != process->queue_head; i++) {
		const struct sim_work *work = &process->queue[i % SIM_QUEUE];
		uint64_t start = work->start_ns > from ? work->start_ns : from;
		uint64_t end = work->end_ns < now ? work->end_ns : now;
		if (work->card == card && start < end)
			busy += end - start;
	}
	return busy;
}

static uint64_t at_most_a_second(uint64_t busy_ns)
{
	return busy_ns < SIM_SECOND_NS ? busy_ns : SIM_SECOND_NS;
}

static uint64_t second_before(uint64_t now)
{
	return now > SIM_SECOND_NS ? now - SIM_SECOND_NS : 0;
}

uint64_t sim_card_busy(struct sim_state *state, uint32_t card, uint64_t now)
{
	uint64_t busy = 0;
	for (int i = 0; i < SIM_PROCESSES; i++) {
		if (!state->processes[i].taken)
			continue;
		sim_work_settle(state, &state->processes[i], now);
		busy += running(&state->processes[i], card, second_before(now), now);
	}
	busy += sim_window_busy(&state->cards[card].window, second_before(now), now);
	return at_most_a_second(busy);
}

uint64_t sim_process_busy(const struct sim_process *process, uint32_t card, uint64_t now)
{
	return at_most_a_second(sim_window_busy(&process->window[card], second_before(now), now) +
				running(process, card, second_before(now), now));
}
