/*
 * The machine's clock.  It is CLOCK_MONOTONIC, or with `clock = virtual` in
 * cards.conf a number in the shared state that stands still while anybody works
 * and moves to the next time that somebody sleeps for when everybody sleeps.
 *
 * Who takes part: every thread that has read the virtual clock or slept by it,
 * by a driver or by libsimclock.so, until it ends.  Such a thread holds the time
 * while it runs or waits for a disk; it does not while it sleeps by this clock,
 * while it is blocked in anything else (a mutex, a pipe, waiting for a process or a
 * thread) or stopped, or when it is dead.  Which of these it is, the kernel's
 * /proc/<pid>/task/<tid>/status tells, so all have to be of one pid namespace.
 * Waits of the C library that end by themselves (poll, pthread_cond_timedwait)
 * count as blocked, and the time goes on without them.
 *
 * Of those whose time has come one is woken at a time, in the order of their
 * times and then of their places, so that a run takes the same course again.
 *
 * There is no hang: a thread that runs for SIM_PATIENCE_NS of real time without
 * ever sleeping is not waited for any longer.
 */
#ifndef HETERO_SIM_CLOCK_H
#define HETERO_SIM_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_SECOND_NS 1000000000ull
#define SIM_THREADS 4096
#define SIM_PATIENCE_NS (30 * SIM_SECOND_NS) /* real time */

struct sim_thread {
	_Atomic int32_t tid;      /* 0: a free place; -1: being taken */
	_Atomic int32_t pid;
	_Atomic uint32_t state;   /* what it does: enum in clock.c; a futex */
	_Atomic uint32_t looks;   /* it sleeps for a time that the death of another process may bring forward */
	_Atomic uint64_t wake_ns;
	_Atomic uint64_t switches; /* how often it had left a processor when it was last seen blocked, plus 1; 0: it was not */
	_Atomic uint64_t gone_ns; /* real time at which it was first found to have ended */
};

struct sim_clock {
	pthread_mutex_t passing;  /* robust: held by who looks whether all sleep */
	_Atomic uint64_t now_ns;
	_Atomic uint64_t changes; /* counts each time that a thread comes, or goes to sleep */
	uint64_t epoch_us;        /* of the virtual clock's zero, since 1970 */
	_Atomic uint32_t used;    /* places from here on were never taken */
	struct sim_thread threads[SIM_THREADS];
};

struct sim_state;

/* From now on this library's clock is the virtual one of this machine. */
void sim_clock_follow(struct sim_state *state);
bool sim_clock_is_virtual(void);

/* Nanoseconds. */
uint64_t sim_now(void);
/* This thread holds the virtual time while it works; sleeping and reading the clock do this as well. */
void sim_take_part(void);
/* Microseconds since 1970, as time stamps of samples count. */
uint64_t sim_wall_clock_us(void);

void sim_sleep_until(uint64_t ns);
/* The same, but it may end early: for who expects something then and will look. */
void sim_look_again_at(uint64_t ns);
/*
 * The same, but a signal ends it, and then it returns false.  One that comes while
 * this thread looks at the others does not.
 */
bool sim_sleep_or_signal(uint64_t ns);

/*
 * What a call costs its caller, on the virtual clock only.  A program that asks
 * until something has happened would otherwise never see it happen.
 */
void sim_spend(uint64_t ns);
/* Reading the clock: 64 reads cost a microsecond. */
uint64_t sim_clock_read(void);

/*
 * The common start: returns when `parties` processes have come here since the last
 * such group was complete; until then the virtual clock stands still.  False when
 * they did not come within 20 s of real time.
 */
bool sim_clock_meet(struct sim_state *state, uint32_t parties);

/* For the maker of the shared state. */
void sim_clock_make(struct sim_clock *clock);
/* For who finds that the works of a dead process are gone: those who expect something look again. */
void sim_clock_look_again(struct sim_clock *clock);

#endif
