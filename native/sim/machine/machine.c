/* Opening the machine, and following its health. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool stamp(const char *path, struct timespec *modified)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return false;
	*modified = status.st_mtim;
	return true;
}

enum sim_opened sim_machine_open(struct sim_machine *machine)
{
	const char *directory = getenv("HETERO_SIM_DIR");
	if (!directory || !*directory)
		return SIM_NO_MACHINE;
	snprintf(machine->directory, sizeof machine->directory, "%s", directory);
	if (!sim_config_read(directory, &machine->config))
		return SIM_BAD_MACHINE;
	stamp(machine->config.path, &machine->modified);
	machine->state = sim_state_open(directory);
	return machine->state ? SIM_OPENED : SIM_BAD_MACHINE;
}

void sim_machine_refresh(struct sim_machine *machine)
{
	struct timespec modified;
	if (!stamp(machine->config.path, &modified) ||
	    (modified.tv_sec == machine->modified.tv_sec && modified.tv_nsec == machine->modified.tv_nsec))
		return;
	machine->modified = modified;
	struct sim_config now;
	if (!sim_config_read(machine->directory, &now) || now.count != machine->config.count)
		return;
	for (uint32_t i = 0; i < now.count; i++) {
		machine->config.cards[i].health = now.cards[i].health;
		machine->config.cards[i].xid = now.cards[i].xid;
	}
}
