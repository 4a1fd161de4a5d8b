/* Opening the machine, and following its health. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Size and inode as well as the time: two changes may come within one tick of the file system's clock. */
static struct sim_stamp stamp(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return (struct sim_stamp){0};
	return (struct sim_stamp){
		.modified = status.st_mtim, .inode = status.st_ino, .size = (uint64_t)status.st_size};
}

static bool same(const struct sim_stamp *a, const struct sim_stamp *b)
{
	return a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->inode == b->inode && a->size == b->size;
}

enum sim_opened sim_machine_open(struct sim_machine *machine)
{
	const char *directory = getenv("HETERO_SIM_DIR");
	if (!directory || !*directory)
		return SIM_NO_MACHINE;
	snprintf(machine->directory, sizeof machine->directory, "%s", directory);
	if (!sim_config_read(directory, &machine->config))
		return SIM_BAD_MACHINE;
	machine->stamp = stamp(machine->config.path);
	machine->state = sim_state_open(directory);
	if (!machine->state)
		return SIM_BAD_MACHINE;
	sim_lock(machine->state);
	machine->state->cards_used = machine->config.count;
	machine->state->timeslice_ns = machine->config.timeslice_ns;
	sim_unlock(machine->state);
	if (machine->config.virtual_clock)
		sim_clock_follow(machine->state);
	return SIM_OPENED;
}

void sim_machine_refresh(struct sim_machine *machine)
{
	struct sim_stamp latest = stamp(machine->config.path);
	if (same(&latest, &machine->stamp) || !latest.inode)
		return;
	machine->stamp = latest;
	struct sim_config now;
	if (!sim_config_read(machine->directory, &now) || now.count != machine->config.count)
		return;
	for (uint32_t i = 0; i < now.count; i++) {
		machine->config.cards[i].health = now.cards[i].health;
		machine->config.cards[i].xid = now.cards[i].xid;
	}
}
