/*
 * Time passes by those who sleep: whoever goes to sleep, and then every now and
 * again, looks whether anybody still works.
 *
 * Looking has to be sound although it takes time, and threads wake each other
 * meanwhile.  A thread seen blocked twice, with the same count of having left a
 * processor, was blocked all the time between.  So when every thread that does not
 * sleep is seen as it was seen by the look before, there was a moment, the beginning of
 * this look, at which all were blocked or asleep; from then on nobody could wake
 * anybody.
 */
#include "clock.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define START_NS (1000 * SIM_SECOND_NS)
#define LOOK_SOONEST_NS 100000ull /* real time between two looks of one sleeper */
#define LOOK_LATEST_NS 5000000ull
#define DYING_NS 100000000ull
#define REAL_LOOK_NS 20000000ull /* the same for what another's death may bring forward, on the real clock */
#define MEET_NS (20 * SIM_SECOND_NS)
#define MEET_LOOK_NS 500000ull
#define READS 64
#define READS_NS 1000

/* HELD is at the common start; WOKEN has to find out that its time has come. */
enum { WORKING, SLEEPING, WOKEN, HELD };

static struct sim_state *followed;
static _Thread_local struct sim_thread *self;

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * SIM_SECOND_NS + (uint64_t)time->tv_nsec;
}

static struct timespec moment(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / SIM_SECOND_NS), .tv_nsec = (long)(ns % SIM_SECOND_NS)};
}

/* By system calls, since the calls of the C library may be those of libsimclock.so. */
static uint64_t real_now(void)
{
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return nanoseconds(&now);
}

static void real_sleep(uint64_t ns)
{
	struct timespec time = moment(ns);
	syscall(SYS_nanosleep, &time, NULL);
}

static int wait_while(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec time = moment(ns);
	return syscall(SYS_futex, word, FUTEX_WAIT, value, &time, NULL, 0) == 0 ? 0 : errno;
}

static void wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void sim_clock_make(struct sim_clock *clock)
{
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	clock->now_ns = START_NS;
	clock->epoch_us = (nanoseconds(&now) - START_NS) / 1000;
}

static void forget_self(void)
{
	self = NULL;
}

void sim_clock_follow(struct sim_state *state)
{
	if (!followed)
		pthread_atfork(NULL, NULL, forget_self); /* the child is another thread */
	followed = state;
}

bool sim_clock_is_virtual(void)
{
	return followed != NULL;
}

/* The place of this thread from before an exec, or by another library of this process; or a free one. */
static struct sim_thread *take_place(struct sim_clock *clock, int32_t tid)
{
	uint32_t used = clock->used;
	for (uint32_t i = 0; i < used; i++)
		if (clock->threads[i].tid == tid)
			return &clock->threads[i];
	for (uint32_t i = 0; i < SIM_THREADS; i++) {
		int32_t nobody = 0;
		if (!atomic_compare_exchange_strong(&clock->threads[i].tid, &nobody, -1))
			continue;
		while (used < i + 1 && !atomic_compare_exchange_weak(&clock->used, &used, i + 1))
			;
		return &clock->threads[i];
	}
	return NULL;
}

/* NULL when there is no place left: such a thread does not sleep. */
static struct sim_thread *take_part(void)
{
	if (self)
		return self;
	int32_t tid = (int32_t)syscall(SYS_gettid);
	struct sim_thread *place = take_place(&followed->clock, tid);
	if (!place)
		return NULL;
	place->pid = getpid();
	place->state = WORKING;
	place->switches = 0;
	place->gone_ns = 0;
	place->tid = tid;
	atomic_fetch_add(&followed->clock.changes, 1);
	self = place;
	return place;
}

struct seen {
	char letter;       /* of the kernel's state; 0 when there is no such thread */
	uint64_t switches;
};

static struct seen look_at(int32_t pid, int32_t tid)
{
	char path[64], text[4096];
	snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return (struct seen){0};
	text[length] = '\0';
	const char *state = strstr(text, "\nState:\t"), *left = strstr(text, "\nvoluntary_ctxt_switches:\t");
	const char *pushed = strstr(text, "\nnonvoluntary_ctxt_switches:\t");
	return (struct seen){.letter = state ? state[8] : 'R',
			     .switches = (left ? strtoull(left + 26, NULL, 10) : 0) +
					 (pushed ? strtoull(pushed + 29, NULL, 10) : 0)};
}

static bool holds_time(char letter)
{
	return letter == 'R' || letter == 'D';
}

static bool is_gone(char letter)
{
	return !letter || letter == 'Z' || letter == 'X';
}

enum verdict { NOT_HOLDING, UNSURE, HOLDING };

static bool has_slot(int32_t pid)
{
	bool found = false;
	sim_lock(followed);
	for (uint32_t i = 0; i < followed->slots_used; i++)
		found |= followed->processes[i].taken && followed->processes[i].pid == (uint32_t)pid;
	sim_unlock(followed);
	return found;
}

/*
 * A process dies thread by thread, and its work is dropped when the last has gone: until then
 * it holds the time.  Not for long, since a process may live on without its first thread.
 */
static enum verdict judge_gone(struct sim_thread *thread)
{
	uint64_t now = real_now();
	if (!thread->gone_ns)
		thread->gone_ns = now;
	if (now - thread->gone_ns < DYING_NS && has_slot(thread->pid) && is_gone(look_at(thread->pid, thread->pid).letter))
		return HOLDING;
	thread->tid = 0;
	return NOT_HOLDING;
}

/*
 * Of a thread that does not sleep.  At a glance, only those are looked at that were
 * seen blocked before: most of the others run, and will look themselves when they go to sleep.
 */
static enum verdict judge(struct sim_thread *thread, bool at_a_glance)
{
	if (at_a_glance && (thread->state != WORKING || !thread->switches))
		return HOLDING;
	struct seen seen = look_at(thread->pid, thread->tid);
	if (is_gone(seen.letter))
		return judge_gone(thread);
	if (thread->state != WORKING || holds_time(seen.letter)) {
		thread->switches = 0;
		return HOLDING;
	}
	bool same = thread->switches == seen.switches + 1;
	thread->switches = seen.switches + 1;
	return same ? NOT_HOLDING : UNSURE;
}

/* UNSURE: somebody is blocked, and it takes another look to know that he was all the time. */
static enum verdict anybody_works(struct sim_clock *clock, bool at_a_glance)
{
	enum verdict verdict = NOT_HOLDING;
	uint32_t used = clock->used;
	for (uint32_t i = 0; i < used && verdict != HOLDING; i++) {
		struct sim_thread *thread = &clock->threads[i];
		if (!thread->tid || thread->state == SLEEPING)
			continue;
		enum verdict one = thread->tid < 0 || thread == self ? HOLDING : judge(thread, at_a_glance);
		verdict = one > verdict ? one : verdict;
	}
	return verdict;
}

static struct sim_thread *first_to_wake(struct sim_clock *clock)
{
	struct sim_thread *first = NULL;
	uint32_t used = clock->used;
	for (uint32_t i = 0; i < used; i++) {
		struct sim_thread *thread = &clock->threads[i];
		if (thread->tid && thread->state == SLEEPING && (!first || thread->wake_ns < first->wake_ns))
			first = thread;
	}
	return first;
}

/* By a change of its state, which it waits for. */
static void wake_thread(struct sim_thread *thread)
{
	uint32_t sleeping = SLEEPING;
	if (atomic_compare_exchange_strong(&thread->state, &sleeping, WOKEN) && thread != self)
		wake(&thread->state);
}

static void pass_time(struct sim_clock *clock)
{
	struct sim_thread *first = first_to_wake(clock);
	if (!first)
		return;
	if (first->wake_ns > clock->now_ns)
		clock->now_ns = first->wake_ns;
	wake_thread(first);
}

void sim_clock_look_again(struct sim_clock *clock)
{
	uint32_t used = clock->used;
	for (uint32_t i = 0; i < used; i++)
		if (clock->threads[i].tid && clock->threads[i].looks)
			wake_thread(&clock->threads[i]);
}

/* What the dead leave behind must not be waited for. */
static void bury_the_dead(void)
{
	sim_lock(followed);
	sim_sweep(followed);
	sim_unlock(followed);
}

static bool begin_look(struct sim_clock *clock)
{
	int held = pthread_mutex_trylock(&clock->passing);
	if (held == EOWNERDEAD)
		pthread_mutex_consistent(&clock->passing);
	return held != EBUSY;
}

enum look { GLANCE, LOOK, IMPATIENCE };

static void look_once(struct sim_clock *clock, enum look how, uint64_t changes)
{
	bury_the_dead();
	enum verdict verdict;
	do
		verdict = anybody_works(clock, how == GLANCE);
	while (verdict == UNSURE);
	if (how == IMPATIENCE || (verdict == NOT_HOLDING && clock->changes == changes))
		pass_time(clock);
}

/* Who goes to sleep during a look cannot look itself: the looker looks once more. */
static void look(struct sim_clock *clock, enum look how)
{
	uint64_t changes;
	do {
		changes = clock->changes;
		if (!begin_look(clock))
			return;
		look_once(clock, how, changes);
		pthread_mutex_unlock(&clock->passing);
	} while (clock->changes != changes);
}

static void fall_asleep(struct sim_thread *thread, uint64_t until_ns, bool looks)
{
	thread->wake_ns = until_ns;
	thread->looks = looks;
	thread->state = SLEEPING;
	atomic_fetch_add(&followed->clock.changes, 1);
}

/* What a sleeper does until its time has come; false when a signal came instead. */
static bool stay_asleep(struct sim_clock *clock, struct sim_thread *thread)
{
	uint64_t rest = LOOK_SOONEST_NS, changes = clock->changes, since = 0;
	look(clock, GLANCE);
	while (thread->state == SLEEPING) {
		if (wait_while(&thread->state, SLEEPING, rest) == EINTR)
			return false;
		if (thread->state != SLEEPING)
			break;
		uint64_t now = real_now();
		if (!since || changes != clock->changes)
			since = now;
		changes = clock->changes;
		rest = rest * 2 < LOOK_LATEST_NS ? rest * 2 : LOOK_LATEST_NS;
		look(clock, now - since > SIM_PATIENCE_NS ? IMPATIENCE : LOOK);
	}
	return true;
}

/* False when a signal ended it. */
static bool sleep_until(uint64_t until_ns, bool looks)
{
	struct sim_clock *clock = &followed->clock;
	struct sim_thread *thread = take_part();
	if (!thread || until_ns <= clock->now_ns)
		return true;
	fall_asleep(thread, until_ns, looks);
	bool undisturbed = stay_asleep(clock, thread);
	thread->looks = false;
	thread->switches = 0;
	thread->state = WORKING;
	return undisturbed;
}

uint64_t sim_now(void)
{
	if (!followed) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now); /* without the cost of a system call */
		return nanoseconds(&now);
	}
	return followed->clock.now_ns;
}

void sim_take_part(void)
{
	if (followed)
		take_part();
}

uint64_t sim_wall_clock_us(void)
{
	if (followed)
		return followed->clock.epoch_us + followed->clock.now_ns / 1000;
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return nanoseconds(&now) / 1000;
}

void sim_sleep_until(uint64_t ns)
{
	uint64_t now;
	while ((now = sim_now()) < ns) {
		if (!followed)
			real_sleep(ns - now);
		else if (!sleep_until(ns, false))
			continue;
	}
}

void sim_look_again_at(uint64_t ns)
{
	uint64_t now = sim_now();
	if (followed)
		sleep_until(ns > now ? ns : now + 1, true);
	else if (ns > now)
		real_sleep(ns - now < REAL_LOOK_NS ? ns - now : REAL_LOOK_NS);
}

bool sim_sleep_or_signal(uint64_t ns)
{
	return sleep_until(ns, false);
}

void sim_spend(uint64_t ns)
{
	if (followed && ns)
		sim_sleep_until(followed->clock.now_ns + ns);
}

uint64_t sim_clock_read(void)
{
	static _Thread_local uint64_t last;
	static _Thread_local unsigned reads;
	sim_take_part();
	uint64_t now = sim_now();
	reads = now == last ? reads + 1 : 1;
	last = now;
	if (reads == READS)
		sim_spend(READS_NS);
	return now;
}

static void arrive(struct sim_state *state, uint32_t parties, uint64_t *group)
{
	sim_lock(state);
	*group = state->groups;
	if (++state->arrived >= parties) {
		state->arrived = 0;
		state->groups++;
	}
	sim_unlock(state);
}

static bool wait_for_group(struct sim_state *state, uint64_t group)
{
	uint64_t start = real_now();
	while (__atomic_load_n(&state->groups, __ATOMIC_ACQUIRE) == group) {
		if (real_now() - start > MEET_NS)
			return false;
		real_sleep(MEET_LOOK_NS);
	}
	return true;
}

bool sim_clock_meet(struct sim_state *state, uint32_t parties)
{
	struct sim_thread *thread = followed ? take_part() : NULL;
	uint64_t group;
	if (thread)
		thread->state = HELD;
	arrive(state, parties, &group);
	bool met = wait_for_group(state, group);
	if (thread)
		thread->state = WORKING;
	return met;
}
