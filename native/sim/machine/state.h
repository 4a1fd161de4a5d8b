/*
 * The shared state of a simulated machine: one mmap'd file that every process
 * of the machine maps, so that they see the same cards.
 *
 * Everything but the clock is read and written under `lock`, a robust mutex.  A
 * process slot is alive while its own robust mutex is held by a thread of that
 * process: the kernel marks it at SIGKILL, at exec and at exit, whatever became of
 * the pid.
 */
#ifndef HETERO_SIM_STATE_H
#define HETERO_SIM_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "config.h"
#include "mig.h"

#define SIM_PROCESSES 256
#define SIM_QUEUE 1024            /* launches of one process that wait or run */
#define SIM_BUCKETS 328           /* of 10 ms: a little more than the second that is asked for, and the longest lag */
#define SIM_BUCKET_NS 10000000ull

/* Busy time in buckets of the clock; `newest` is the number of the last bucket written. */
struct sim_window {
	uint64_t newest;
	uint32_t busy_ns[SIM_BUCKETS];
};

#define SIM_PAST 16               /* entries of what was known of a process: the lag is as long as eight */
#define SIM_GONE 64               /* processes that ended and may still be listed */

/* What a process had on a card, by numbers of eighths of the lag; entry n holds what it had at the end of that. */
struct sim_past {
	struct sim_had {
		uint64_t eighth, bytes;
		bool present;
	} had[SIM_PAST];
	uint32_t newest;          /* index */
};

/* A set of process slots. */
struct sim_slots {
	uint64_t words[SIM_PROCESSES / 64];
};

/* Whose context a card runs.  All times are of the machine's clock. */
struct sim_turn {
	uint64_t at_ns;           /* the schedule has been played up to here */
	uint64_t ends_ns;         /* when the turn passes on, if another process waits; 0 while nothing runs */
	uint32_t slot;
};

struct sim_card_state {
	uint64_t memory_used;     /* bytes, the sum over the processes */
	struct sim_turn turn;
	struct sim_slots waiting; /* processes that have work here */
	struct sim_window window;
	struct sim_mig mig;
};

struct sim_work {
	uint64_t remaining_ns;
	uint64_t start_ns, end_ns; /* 0 until it has started, and ended */
	uint64_t after;           /* a ticket of the same process, of work on another card; 0: none */
	uint32_t card;
};

struct sim_process {
	pthread_mutex_t life;     /* held by the process's keeper thread while it lives */
	uint32_t taken;
	uint32_t pid;             /* as the machine sees it, where /proc tells; else as it sees itself */
	uint64_t joined_ns;
	char name[32];
	uint64_t memory[SIM_PLACES];
	uint32_t contexts[SIM_PLACES];
	uint64_t pending_ns[SIM_PLACES]; /* what the works that have not ended have left */
	uint64_t next[SIM_PLACES]; /* number of the first work that has not ended, or past that of the last */
	uint64_t queue_head, queue_tail; /* counts; the queue is the ring of the works between */
	struct sim_work queue[SIM_QUEUE];
	struct sim_window window[SIM_PLACES];
	struct sim_past past[SIM_PLACES];
};

/* A process that has ended, as a list that lags still shows it. */
struct sim_gone {
	uint32_t pid, card;
	uint64_t ended_ns;
	struct sim_past past;
};

struct sim_header {
	uint64_t magic;           /* stored last */
	uint32_t version, size;
	char boot[40];            /* the boot that the mutexes belong to */
};

struct sim_state {
	struct sim_header header;
	struct sim_clock clock;
	pthread_mutex_t lock;
	uint32_t cards_used;      /* of the machine, and the time slice: as cards.conf says */
	uint64_t timeslice_ns;
	uint64_t lag_ns;          /* how old what the management library tells is */
	uint32_t gone_next;
	struct sim_gone gone[SIM_GONE];
	uint32_t slots_used;      /* slots from here on were never taken */
	uint32_t crossings;       /* works that have not ended and wait for one of another card */
	uint32_t arrived;         /* processes that wait at the common start */
	uint64_t groups;          /* that have started */
	struct sim_card_state cards[SIM_PLACES];
	struct sim_process processes[SIM_PROCESSES];
};

/* Maps <directory>/state, making it if it is not there.  NULL and one line on stderr on failure. */
struct sim_state *sim_state_open(const char *directory);

/* Never fails: a holder that died is cleaned up after. */
void sim_lock(struct sim_state *state);
void sim_unlock(struct sim_state *state);

/* Frees what dead processes held, and drops their work.  Call with the lock held. */
void sim_sweep(struct sim_state *state);
/* The same for those that have work on a card. */
void sim_sweep_card(struct sim_state *state, uint32_t card);

/*
 * Gives the calling process a slot, kept until it dies, execs or forks (the
 * child has none).  NULL when all are taken or no thread can be started.
 */
struct sim_process *sim_join(struct sim_state *state);

static inline bool sim_slots_has(const struct sim_slots *slots, uint32_t slot)
{
	return slots->words[slot / 64] >> slot % 64 & 1;
}

#endif
