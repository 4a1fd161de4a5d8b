/*
 * What this process has queued on its cards.  The shared queue forgets a work
 * soon after its end; the events that were recorded behind it are told before.
 */
#include "driver.h"

#define QUERY_NS 1000

/* With the driver's lock held.  Works before `harvested` have told their events. */
static uint64_t harvested;
static CUevent waiting[SIM_QUEUE]; /* by the number of the work, as the shared queue has them */

static void take_off(CUevent event)
{
	*event->link = event->next;
	if (event->next)
		event->next->link = event->link;
	event->link = NULL;
	event->ticket = 0;
}

static void put_on(CUevent event, uint64_t ticket)
{
	CUevent *list = &waiting[(ticket - 1) % SIM_QUEUE];
	event->ticket = ticket;
	event->next = *list;
	event->link = list;
	if (event->next)
		event->next->link = &event->next;
	*list = event;
}

static void happen(CUevent event, uint64_t end_ns)
{
	take_off(event);
	if (event->at_ns < end_ns)
		event->at_ns = end_ns;
}

/* Both locks held, and the card played: tells the events of all that has ended in order. */
static void harvest(void)
{
	for (; harvested < driver.process->queue_tail; harvested++) {
		CUevent *list = &waiting[harvested % SIM_QUEUE];
		while (*list)
			happen(*list, driver.process->queue[harvested % SIM_QUEUE].end_ns);
	}
}

/* With the machine's lock held. */
static uint32_t card_of_ticket(uint64_t ticket)
{
	return driver.process->queue[(ticket - 1) % SIM_QUEUE].card;
}

/* Plays the schedule up to now and says whether the work has ended.  With the machine's lock held. */
static bool look_at(uint64_t ticket, uint64_t *end_ns)
{
	if (sim_work_ended(driver.process, ticket, end_ns))
		return true;
	sim_play_on(driver.machine.state, card_of_ticket(ticket));
	return sim_work_ended(driver.process, ticket, end_ns);
}

uint64_t timeline_run(uint32_t card, uint64_t duration_ns, uint64_t after)
{
	for (;;) {
		driver_lock();
		sim_lock(driver.machine.state);
		sim_play_on(driver.machine.state, card);
		harvest();
		uint64_t ticket = sim_work_queue(driver.machine.state, driver.process, card, duration_ns, after);
		uint64_t room_at = ticket ? 0 : sim_work_room(driver.machine.state, driver.process);
		sim_unlock(driver.machine.state);
		driver_unlock();
		if (ticket)
			return ticket;
		sim_look_again_at(room_at);
	}
}

bool timeline_ended(uint64_t ticket)
{
	uint64_t end_ns;
	if (!ticket)
		return true;
	sim_lock(driver.machine.state);
	bool ended = look_at(ticket, &end_ns);
	sim_unlock(driver.machine.state);
	return ended;
}

void timeline_wait(uint64_t ticket)
{
	for (bool ended = !ticket; !ended;) {
		uint64_t end_ns, expected = 0;
		sim_lock(driver.machine.state);
		ended = look_at(ticket, &end_ns);
		if (!ended)
			expected = sim_work_expected(driver.machine.state, driver.process, ticket);
		sim_unlock(driver.machine.state);
		if (!ended)
			sim_look_again_at(expected);
	}
}

void timeline_release(CUevent event)
{
	if (event->ticket)
		take_off(event);
}

void timeline_record(CUevent event, uint64_t ticket)
{
	bool ended = timeline_ended(ticket);
	driver_lock();
	timeline_release(event);
	event->at_ns = sim_now();
	event->recorded = true;
	if (!ended && ticket > harvested)
		put_on(event, ticket);
	driver_unlock();
}

bool timeline_happened(CUevent event)
{
	driver_lock();
	if (event->ticket) {
		uint64_t end_ns;
		sim_lock(driver.machine.state);
		bool ended = look_at(event->ticket, &end_ns);
		harvest();
		sim_unlock(driver.machine.state);
		if (ended && event->ticket) /* ended before works of another card that were queued earlier */
			happen(event, end_ns);
	}
	bool happened = !event->ticket;
	driver_unlock();
	return happened;
}

uint64_t timeline_ticket(CUevent event)
{
	driver_lock();
	uint64_t ticket = event->ticket;
	driver_unlock();
	return ticket;
}

void timeline_spend_query(void)
{
	sim_spend(QUERY_NS);
}
