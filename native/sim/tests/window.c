/* Busy time over a second, by given times: no clock takes part. */
#include "../machine/window.h"
#include "../machine/machine.h"
#include "check.h"

#define MS 1000000ull

static void an_interval_counts_where_it_lies(void)
{
	struct sim_window window = {0};
	sim_window_add(&window, 1000 * MS, 1250 * MS);
	EXPECT(250 * MS, sim_window_busy(&window, 1000 * MS, 2000 * MS));
	EXPECT(100 * MS, sim_window_busy(&window, 1000 * MS, 1100 * MS));
	EXPECT(0, sim_window_busy(&window, 1250 * MS, 2000 * MS));
}

static void what_is_older_than_the_window_is_dropped(void)
{
	struct sim_window window = {0};
	sim_window_add(&window, 1000 * MS, 1100 * MS);
	sim_window_add(&window, 9000 * MS, 9100 * MS);
	EXPECT(100 * MS, sim_window_busy(&window, 0, 10000 * MS));
	sim_window_add(&window, 10000 * MS, 20000 * MS);
	EXPECT(3280 * MS, sim_window_busy(&window, 0, 20000 * MS));
	EXPECT(1000 * MS, sim_window_busy(&window, 19000 * MS, 20000 * MS));
}

static void intervals_of_any_size_add_up(void)
{
	struct sim_window window = {0};
	for (uint64_t i = 0; i < 1000; i++)
		sim_window_add(&window, 5000 * MS + i * MS, 5000 * MS + i * MS + MS / 4);
	EXPECT(250 * MS, sim_window_busy(&window, 5000 * MS, 6000 * MS));
	sim_window_add(&window, 6000 * MS, 6000 * MS);
	EXPECT(250 * MS, sim_window_busy(&window, 5000 * MS, 6000 * MS));
}

/* Work that is queued but has not run yet is not busy time. */
static void the_future_does_not_count(void)
{
	static struct sim_state state = {.slots_used = 4, .cards_used = 2, .timeslice_ns = 2 * MS};
	struct sim_process *process = &state.processes[3];
	sim_play(&state, 0, 9500 * MS);
	EXPECT(1, sim_work_queue(&state, process, 0, 200 * MS, 0));
	EXPECT(2, sim_work_queue(&state, process, 0, 2300 * MS, 0));
	sim_play(&state, 0, 9600 * MS);
	EXPECT(100 * MS, sim_card_busy(&state, 0, 9600 * MS));
	sim_play(&state, 0, 10000 * MS);
	EXPECT(500 * MS, sim_card_busy(&state, 0, 10000 * MS));
	EXPECT(1, process->queue_tail);
	EXPECT(500 * MS, sim_process_busy(&state, process, 0, 10000 * MS));
	sim_play(&state, 0, 11000 * MS);
	EXPECT(1000 * MS, sim_card_busy(&state, 0, 11000 * MS));
	EXPECT(0, sim_card_busy(&state, 1, 11000 * MS));
}

int main(void)
{
	an_interval_counts_where_it_lies();
	what_is_older_than_the_window_is_dropped();
	intervals_of_any_size_add_up();
	the_future_does_not_count();
	return 0;
}
