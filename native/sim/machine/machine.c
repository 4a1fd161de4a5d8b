/* Opening the machine, and following its health and resets. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

enum sim_opened sim_machine_open(struct sim_machine *machine)
{
	const char *directory = getenv("HETERO_SIM_DIR");
	if (!directory || !*directory)
		return SIM_NO_MACHINE;
	snprintf(machine->directory, sizeof machine->directory, "%s", directory);
	if (!sim_config_read(directory, &machine->config))
		return SIM_BAD_MACHINE;
	machine->stamp = sim_stamp_of(machine->config.path);
	machine->state = sim_state_open(directory);
	if (!machine->state)
		return SIM_BAD_MACHINE;
	sim_lock(machine->state);
	if (machine->state->cards_used < machine->config.count)
		machine->state->cards_used = machine->config.count; /* more once there are instances */
	machine->state->timeslice_ns = machine->config.timeslice_ns;
	machine->state->lag_ns = machine->config.lag_ns;
	sim_unlock(machine->state);
	if (machine->config.virtual_clock)
		sim_clock_follow(machine->state);
	return SIM_OPENED;
}

void sim_machine_refresh(struct sim_machine *machine)
{
	struct sim_stamp latest = sim_stamp_of(machine->config.path);
	if (sim_stamp_same(&latest, &machine->stamp) || !latest.inode)
		return;
	machine->stamp = latest;
	struct sim_config now;
	if (!sim_config_read(machine->directory, &now) || now.count != machine->config.count)
		return;
	for (uint32_t i = 0; i < now.count; i++) {
		machine->config.cards[i].health = now.cards[i].health;
		machine->config.cards[i].xid = now.cards[i].xid;
		machine->config.cards[i].resets = now.cards[i].resets;
	}
}
