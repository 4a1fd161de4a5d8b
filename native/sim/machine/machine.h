/*
 * The simulated machine as the two driver libraries use it: opening it, the
 * memory ledger of its cards, and their clock.
 */
#ifndef HETERO_SIM_MACHINE_H
#define HETERO_SIM_MACHINE_H

#include <time.h>

#include "state.h"

enum sim_opened { SIM_OPENED, SIM_NO_MACHINE, SIM_BAD_MACHINE };

struct sim_machine {
	char directory[4096];
	struct sim_config config;
	struct sim_stamp {
		struct timespec modified;
		uint64_t inode, size;
	} stamp; /* of cards.conf, when it was read */
	struct sim_state *state;
};

/*
 * Opens the machine that HETERO_SIM_DIR names; SIM_NO_MACHINE when the variable
 * is not set.  Every process of the machine may call it at any time.
 */
enum sim_opened sim_machine_open(struct sim_machine *machine);

/*
 * Follows a change of `health` in cards.conf, so that a fault can be injected
 * into a running machine.  A file that no longer parses changes nothing.
 */
void sim_machine_refresh(struct sim_machine *machine);

/* Takes bytes of a card for a process; false when the card has not so many left. */
bool sim_memory_take(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes);
void sim_memory_give(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes);
uint64_t sim_memory_free(struct sim_machine *machine, uint32_t card);

/* One more or one less context of a process on a card; the first one takes the context's memory. */
bool sim_context_begin(struct sim_machine *machine, struct sim_process *process, uint32_t card);
void sim_context_end(struct sim_machine *machine, struct sim_process *process, uint32_t card);

/*
 * Queues work of `duration_ns` behind all that the card has, not before
 * `not_before_ns`, and returns when it will end.  Blocks while the process has
 * SIM_QUEUE works waiting or running.
 */
uint64_t sim_work_queue(struct sim_machine *machine, struct sim_process *process, uint32_t card,
			uint64_t duration_ns, uint64_t not_before_ns);

/*
 * Busy time within the second before now, in nanoseconds, by a card and by one
 * process.  Call with the lock held, and sim_card_busy first: it settles what has
 * ended.  It counts processes that have ended since as well.
 */
uint64_t sim_card_busy(struct sim_state *state, uint32_t card, uint64_t now);
uint64_t sim_process_busy(const struct sim_process *process, uint32_t card, uint64_t now);

#endif
