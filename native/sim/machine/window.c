/* A ring of buckets that moves on with what is written to it. */
#include "window.h"

static void move_on(struct sim_window *window, uint64_t newest)
{
	if (newest <= window->newest)
		return;
	uint64_t stale = newest - window->newest;
	for (uint64_t i = 0; i < stale && i < SIM_BUCKETS; i++)
		window->busy_ns[(newest - i) % SIM_BUCKETS] = 0;
	window->newest = newest;
}

void sim_window_add(struct sim_window *window, uint64_t start_ns, uint64_t end_ns)
{
	if (end_ns <= start_ns)
		return;
	move_on(window, (end_ns - 1) / SIM_BUCKET_NS);
	uint64_t oldest = window->newest < SIM_BUCKETS ? 0 : window->newest - SIM_BUCKETS + 1;
	if (start_ns < oldest * SIM_BUCKET_NS)
		start_ns = oldest * SIM_BUCKET_NS;
	while (start_ns < end_ns) {
		uint64_t bucket = start_ns / SIM_BUCKET_NS;
		uint64_t edge = (bucket + 1) * SIM_BUCKET_NS;
		uint64_t stop = end_ns < edge ? end_ns : edge;
		window->busy_ns[bucket % SIM_BUCKETS] += (uint32_t)(stop - start_ns);
		start_ns = stop;
	}
}

uint64_t sim_window_busy(const struct sim_window *window, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t busy = 0;
	uint64_t bucket = from_ns / SIM_BUCKET_NS;
	if (window->newest >= SIM_BUCKETS && bucket <= window->newest - SIM_BUCKETS)
		bucket = window->newest - SIM_BUCKETS + 1;
	for (; bucket * SIM_BUCKET_NS < to_ns && bucket <= window->newest; bucket++)
		busy += window->busy_ns[bucket % SIM_BUCKETS];
	return busy;
}
