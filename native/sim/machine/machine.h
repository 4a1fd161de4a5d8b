/*
 * The simulated machine as the two driver libraries use it: opening it, the
 * memory ledger of its cards, and the work that they do.
 */
#ifndef HETERO_SIM_MACHINE_H
#define HETERO_SIM_MACHINE_H

#include "stamp.h"
#include "state.h"

enum sim_opened { SIM_OPENED, SIM_NO_MACHINE, SIM_BAD_MACHINE };

struct sim_machine {
	char directory[4096];
	struct sim_config config;
	struct sim_stamp stamp; /* of cards.conf, when it was read */
	struct sim_state *state;
};

/*
 * Opens the machine that HETERO_SIM_DIR names; SIM_NO_MACHINE when the variable
 * is not set.  Every process of the machine may call it at any time.
 */
enum sim_opened sim_machine_open(struct sim_machine *machine);

/*
 * Follows a change of `health` and `resets` in cards.conf, so that a fault can be injected
 * into a running machine.  A file that no longer parses changes nothing.
 */
void sim_machine_refresh(struct sim_machine *machine);

/* Takes bytes of a card for a process; false when the card has not so many left. */
bool sim_memory_take(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes);
void sim_memory_give(struct sim_machine *machine, struct sim_process *process, uint32_t card, uint64_t bytes);
uint64_t sim_memory_free(struct sim_machine *machine, uint32_t card);

/* One more or one less context of a process on a card; each takes a context's memory. */
bool sim_context_begin(struct sim_machine *machine, struct sim_process *process, uint32_t card);
void sim_context_end(struct sim_machine *machine, struct sim_process *process, uint32_t card);

/*
 * Work.  A card runs the works of one process at a time, in the order in which
 * they were queued, and passes to the next process that has some when there is
 * none left or when the time slice is over.  When a work ends depends on what
 * arrives meanwhile, so it is known when it has happened: the schedule is played
 * up to the present by whoever looks.
 *
 * A work is known by its ticket, which counts from 1 in each process; ticket 0 has
 * always ended.  All of these are called with the machine's lock held.
 */

/* Plays the schedule of a card up to `now`; of all cards while works of one wait for works of another. */
void sim_play(struct sim_state *state, uint32_t card, uint64_t now);
/* Plays it up to the present, without those who died meanwhile.  Returns the present. */
uint64_t sim_play_on(struct sim_state *state, uint32_t card);

/*
 * Queues work of `duration_ns`, 0 or more, which does not start before that of
 * `after` has ended.  Call after sim_play_on of the same card.  Returns its ticket,
 * or 0 when the process's queue is full.
 */
uint64_t sim_work_queue(struct sim_state *state, struct sim_process *process, uint32_t card,
			uint64_t duration_ns, uint64_t after);

/* True when it has ended, and then when; a ticket out of the queue has, and its end is 0. */
bool sim_work_ended(const struct sim_process *process, uint64_t ticket, uint64_t *end_ns);

/* When a work that has not ended will have, or some time before that: exactly then, if nothing more is queued. */
uint64_t sim_work_expected(struct sim_state *state, const struct sim_process *process, uint64_t ticket);

/* When it is worth looking whether a full queue has room again. */
uint64_t sim_work_room(struct sim_state *state, const struct sim_process *process);

/*
 * Busy time within a second, in nanoseconds, by a card and by one process, as far as
 * the card has been played.  It is the second before now, less the machine's lag.  The card's counts processes that
 * have ended since as well.
 */
uint64_t sim_card_busy(const struct sim_state *state, uint32_t card, uint64_t now);
uint64_t sim_process_busy(const struct sim_state *state, const struct sim_process *process, uint32_t card, uint64_t now);

/* Forgets the works of a process that has died. True when there were some. */
bool sim_work_drop(struct sim_state *state, struct sim_process *process);
/* Counts anew what follows from the queues, after a holder of the lock died at it. */
void sim_work_recount(struct sim_state *state);

#endif
