/*
 * The shared state of a simulated machine: one mmap'd file that every process
 * of the machine maps, so that they see the same cards.
 *
 * Everything is read and written under `lock`, a robust mutex.  A process slot
 * is alive while its own robust mutex is held by a thread of that process: the
 * kernel marks it at SIGKILL, at exec and at exit, whatever became of the pid.
 */
#ifndef HETERO_SIM_STATE_H
#define HETERO_SIM_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

#define SIM_PROCESSES 256
#define SIM_QUEUE 1024            /* launches of one process that wait or run */
#define SIM_BUCKETS 128           /* of 10 ms: a little more than the second that is asked for */
#define SIM_BUCKET_NS 10000000ull
#define SIM_SECOND_NS 1000000000ull

/* Busy time in buckets of the clock; `newest` is the number of the last bucket written. */
struct sim_window {
	uint64_t newest;
	uint32_t busy_ns[SIM_BUCKETS];
};

struct sim_card_state {
	uint64_t memory_used;     /* bytes, the sum over the processes */
	uint64_t busy_until_ns;   /* CLOCK_MONOTONIC: end of the last kernel booked */
	struct sim_window window;
};

struct sim_work {
	uint64_t start_ns, end_ns;
	uint32_t card;
};

struct sim_process {
	pthread_mutex_t life;     /* held by the process's keeper thread while it lives */
	uint32_t taken;
	uint32_t pid;             /* as the process sees itself */
	uint64_t joined_ns;
	char name[32];
	uint64_t memory[SIM_CARDS];
	uint32_t contexts[SIM_CARDS];
	uint64_t busy_until_ns[SIM_CARDS];
	uint64_t queue_head, queue_tail; /* counts; the queue is the ring of the works between */
	struct sim_work queue[SIM_QUEUE];
	struct sim_window window[SIM_CARDS];
};

struct sim_header {
	uint64_t magic;           /* stored last */
	uint32_t version, size;
	char boot[40];            /* the boot that the mutexes belong to */
};

struct sim_state {
	struct sim_header header;
	pthread_mutex_t lock;
	struct sim_card_state cards[SIM_CARDS];
	struct sim_process processes[SIM_PROCESSES];
};

/* Maps <directory>/state, making it if it is not there.  NULL and one line on stderr on failure. */
struct sim_state *sim_state_open(const char *directory);

/* Never fails: a holder that died is cleaned up after. */
void sim_lock(struct sim_state *state);
void sim_unlock(struct sim_state *state);

/* Frees what dead processes held.  Call with the lock held. */
void sim_sweep(struct sim_state *state);

/*
 * Gives the calling process a slot, kept until it dies, execs or forks (the
 * child has none).  NULL when all are taken or no thread can be started.
 */
struct sim_process *sim_join(struct sim_state *state);

/* CLOCK_MONOTONIC in nanoseconds: the machine's clock. */
uint64_t sim_now(void);
void sim_sleep_until(uint64_t ns);
/* Microseconds since 1970, as time stamps of samples count. */
uint64_t sim_wall_clock_us(void);

#endif
