/*
 * Who uses the machine: joining, and freeing what the dead leave behind.
 *
 * Each process keeps one sleeping thread that holds the robust mutex of its
 * slot.  That is safe against reused pids, works across pid namespaces, and
 * needs nothing to run when the process is killed.
 */
#include "machine.h"
#include "past.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct keeper {
	struct sim_state *state;
	struct sim_process *slot; /* NULL when all are taken */
	sem_t ready;
};

/*
 * Frees the slot if its process is dead; true when the slot may be taken.
 * The mutex is unlocked again, so that the next keeper finds it free.
 */
static bool is_free(struct sim_process *slot)
{
	int held = pthread_mutex_trylock(&slot->life);
	if (held == EBUSY)
		return false;
	if (held == EOWNERDEAD)
		pthread_mutex_consistent(&slot->life);
	pthread_mutex_unlock(&slot->life);
	return true;
}

/* The virtual clock stood still since it died; by the other it may have died at any time since anybody looked. */
static void play_up_to_the_death(struct sim_state *state, const struct sim_process *slot)
{
	uint32_t number = (uint32_t)(slot - state->processes);
	for (uint32_t card = 0; sim_clock_is_virtual() && card < state->cards_used; card++)
		if (sim_slots_has(&state->cards[card].waiting, number))
			sim_play(state, card, sim_now());
}

/* A driver drops the queue of a process that died. */
static void bury(struct sim_state *state, struct sim_process *slot)
{
	play_up_to_the_death(state, slot);
	if (sim_work_drop(state, slot))
		sim_clock_look_again(&state->clock);
	sim_past_end(state, slot);
	for (int card = 0; card < SIM_PLACES; card++)
		state->cards[card].memory_used -= slot->memory[card];
	memset((char *)slot + sizeof slot->life, 0, sizeof *slot - sizeof slot->life);
}

void sim_sweep(struct sim_state *state)
{
	for (uint32_t i = 0; i < state->slots_used; i++)
		if (state->processes[i].taken && is_free(&state->processes[i]))
			bury(state, &state->processes[i]);
}

void sim_sweep_card(struct sim_state *state, uint32_t card)
{
	for (uint32_t i = 0; i < state->slots_used; i++)
		if (sim_slots_has(&state->cards[card].waiting, i) && is_free(&state->processes[i]))
			bury(state, &state->processes[i]);
}

/* As the machine sees the process, which is what a management library tells. Source: proc(5), NSpid: from the namespace of the
 * mount on inwards. */
static uint32_t machine_pid(void)
{
	char line[256];
	unsigned outer = (unsigned)getpid();
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof line, status))
		if (sscanf(line, "NSpid: %u", &outer) == 1)
			break;
	if (status)
		fclose(status);
	return outer;
}

static struct sim_process *take_slot(struct sim_state *state)
{
	for (uint32_t i = 0; i < SIM_PROCESSES; i++) {
		struct sim_process *slot = &state->processes[i];
		if (slot->taken || pthread_mutex_trylock(&slot->life) == EBUSY)
			continue;
		pthread_mutex_consistent(&slot->life);
		slot->taken = 1;
		slot->pid = machine_pid();
		slot->joined_ns = sim_now();
		prctl(PR_GET_NAME, slot->name, 0, 0, 0);
		state->slots_used = state->slots_used > i ? state->slots_used : i + 1;
		return slot;
	}
	return NULL;
}

static void *keep(void *argument)
{
	struct keeper *keeper = argument;
	sim_lock(keeper->state);
	sim_sweep(keeper->state);
	bool holds = (keeper->slot = take_slot(keeper->state)) != NULL;
	sim_unlock(keeper->state);
	sem_post(&keeper->ready); /* after this the keeper is the caller's to free */
	while (holds)
		pause();
	return NULL;
}

static bool start_keeper(struct keeper *keeper)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	pthread_sigmask(SIG_BLOCK, &all, &before); /* the program's signals are not for this thread */
	int failed = pthread_create(&thread, &attributes, keep, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return failed == 0;
}

struct sim_process *sim_join(struct sim_state *state)
{
	struct keeper keeper = {.state = state};
	sem_init(&keeper.ready, 0, 0);
	if (!start_keeper(&keeper))
		return NULL;
	while (sem_wait(&keeper.ready) != 0)
		;
	sem_destroy(&keeper.ready);
	return keeper.slot;
}
