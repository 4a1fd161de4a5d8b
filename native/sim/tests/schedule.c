/* Time slices, by given times: no clock takes part. */
#include "../machine/machine.h"
#include "check.h"

#define MS 1000000ull
#define START (1000 * MS)

static struct sim_state *state;

static struct sim_process *process(int slot)
{
	return &state->processes[slot];
}

/* Two cards, slices of 2 ms, three processes that have nothing to do yet. */
static void begin(void)
{
	free(state);
	state = calloc(1, sizeof *state);
	state->slots_used = 3;
	state->cards_used = 2;
	state->timeslice_ns = 2 * MS;
	sim_play(state, 0, START);
	sim_play(state, 1, START);
}

static uint64_t queue_after(int slot, uint32_t card, uint64_t ns, uint64_t after)
{
	return sim_work_queue(state, process(slot), card, ns, after);
}

static uint64_t queue(int slot, uint64_t ns)
{
	return queue_after(slot, 0, ns, 0);
}

/* Nanoseconds after the start; the work must have ended by now. */
static uint64_t end_of(int slot, uint64_t ticket)
{
	uint64_t number = ticket - 1, end = process(slot)->queue[number % SIM_QUEUE].end_ns;
	EXPECT(true, end != 0);
	return end - START;
}

static void a_process_alone_loses_nothing(void)
{
	begin();
	uint64_t first = queue(0, 5 * MS), second = queue(0, 7 * MS);
	sim_play(state, 0, START + 100 * MS);
	EXPECT(5 * MS, end_of(0, first));
	EXPECT(12 * MS, end_of(0, second));
}

static void processes_take_turns(void)
{
	begin();
	uint64_t one = queue(0, 3 * MS), other = queue(1, 3 * MS), third = queue(2, 1 * MS);
	sim_play(state, 0, START + 100 * MS);
	EXPECT(3 * MS, end_of(2, third));
	EXPECT(6 * MS, end_of(1, other)); /* 0 to 2, 5 to 6 */
	EXPECT(7 * MS, end_of(0, one));   /* 3 to 5, 6 to 7 */
}

static void it_does_not_matter_how_often_the_schedule_is_played(void)
{
	begin();
	uint64_t one = queue(0, 3 * MS), other = queue(1, 3 * MS);
	for (uint64_t now = START; now < START + 10 * MS; now += 7919)
		sim_play(state, 0, now);
	EXPECT(5 * MS, end_of(1, other));
	EXPECT(6 * MS, end_of(0, one));
}

static void a_newcomer_waits_for_the_rest_of_a_slice(void)
{
	begin();
	uint64_t one = queue(0, 100 * MS);
	sim_play(state, 0, START + 7 * MS);
	uint64_t other = queue(1, 1 * MS);
	sim_play(state, 0, START + 200 * MS);
	EXPECT(9 * MS, end_of(1, other)); /* slices begin each 2 ms: it waits from 7 to 8 */
	EXPECT(101 * MS, end_of(0, one));
}

static void who_has_nothing_left_gives_the_card_away_at_once(void)
{
	begin();
	queue(1, MS / 2);
	uint64_t other = queue(2, 1 * MS);
	sim_play(state, 0, START + 10 * MS);
	EXPECT(3 * MS / 2, end_of(2, other));
}

static void a_work_may_wait_for_one_of_another_card(void)
{
	begin();
	uint64_t first = queue_after(0, 0, 5 * MS, 0);
	uint64_t gate = queue_after(0, 1, 0, first), second = queue_after(0, 1, 1 * MS, 0);
	uint64_t neighbour = queue_after(1, 1, 3 * MS, 0);
	uint64_t back = queue_after(0, 0, 1 * MS, second);
	sim_play(state, 1, START + 100 * MS);
	EXPECT(5 * MS, end_of(0, gate));
	EXPECT(3 * MS, end_of(1, neighbour)); /* who waits for another card does not hold up others */
	EXPECT(6 * MS, end_of(0, second));
	EXPECT(7 * MS, end_of(0, back));
	EXPECT(0, state->crossings);
}

static void what_a_dead_process_had_queued_vanishes(void)
{
	begin();
	queue(0, 3600000 * MS);
	uint64_t other = queue(1, 4 * MS);
	sim_play(state, 0, START + 3 * MS);
	EXPECT(true, sim_work_drop(state, process(0)));
	sim_play(state, 0, START + 100 * MS);
	EXPECT(5 * MS, end_of(1, other)); /* 0 to 2, 3 to 5 */
}

static uint64_t random_below(uint64_t bound)
{
	static uint64_t random = 1;
	random = random * 6364136223846793005ull + 1442695040888963407ull;
	return (random >> 33) % bound;
}

/* The prediction is exact while nothing arrives, and never too late when something does. */
static void the_end_of_a_work_is_predicted(void)
{
	begin();
	uint64_t now = START, missed = 0;
	for (int round = 0; round < 2000; round++) {
		uint64_t ticket = queue((int)random_below(3), random_below(6 * MS)), end;
		int slot = (int)random_below(3);
		ticket = process(slot)->queue_head;
		if (!sim_work_ended(process(slot), ticket, &end)) {
			uint64_t expected = sim_work_expected(state, process(slot), ticket);
			EXPECT(true, expected > now);
			sim_play(state, 0, expected - 1);
			EXPECT(false, sim_work_ended(process(slot), ticket, &end));
			sim_play(state, 0, expected);
			EXPECT(true, sim_work_ended(process(slot), ticket, &end));
			now = expected;
			missed++;
		}
		now += random_below(2 * MS);
		sim_play(state, 0, now);
	}
	EXPECT(true, missed > 500);
}

/* Who holds the lock may die at any instruction: all that follows from the queues is counted anew. */
static void counts_come_back_from_the_queues(void)
{
	begin();
	queue_after(0, 0, 5 * MS, 0);
	queue_after(0, 1, 1 * MS, 1);
	queue_after(1, 0, 2 * MS, 0);
	sim_play(state, 0, START + 3 * MS);
	static struct sim_state before;
	before = *state;
	for (int slot = 0; slot < 2; slot++) {
		process(slot)->taken = before.processes[slot].taken = 1;
		memset(process(slot)->pending_ns, 0xff, sizeof process(slot)->pending_ns);
	}
	state->crossings = 77;
	memset(&state->cards[0].waiting, 0, sizeof state->cards[0].waiting);
	sim_work_recount(state);
	EXPECT(0, memcmp(before.cards, state->cards, sizeof before.cards));
	EXPECT(1, state->crossings);
	for (int slot = 0; slot < 2; slot++)
		EXPECT(0, memcmp(before.processes[slot].pending_ns, process(slot)->pending_ns,
				 sizeof before.processes[slot].pending_ns));
}

int main(void)
{
	a_process_alone_loses_nothing();
	processes_take_turns();
	it_does_not_matter_how_often_the_schedule_is_played();
	a_newcomer_waits_for_the_rest_of_a_slice();
	who_has_nothing_left_gives_the_card_away_at_once();
	a_work_may_wait_for_one_of_another_card();
	what_a_dead_process_had_queued_vanishes();
	the_end_of_a_work_is_predicted();
	counts_come_back_from_the_queues();
	return 0;
}
