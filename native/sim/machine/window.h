/* Busy time over the last second, kept in buckets of 10 ms. */
#ifndef HETERO_SIM_WINDOW_H
#define HETERO_SIM_WINDOW_H

#include "state.h"

/* Counts the interval as busy; what is older than the window is dropped. */
void sim_window_add(struct sim_window *window, uint64_t start_ns, uint64_t end_ns);

/* Busy nanoseconds counted within [from_ns, to_ns), to the precision of a bucket. */
uint64_t sim_window_busy(const struct sim_window *window, uint64_t from_ns, uint64_t to_ns);

#endif
