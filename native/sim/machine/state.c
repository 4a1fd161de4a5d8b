/*
 * Makes and maps the state file, and takes its lock.
 *
 * Making is guarded by flock on the file itself: whoever gets it first and finds
 * no magic initialises, and the magic is stored last, so a maker killed half-way
 * leaves a file that the next one makes again.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC 0x5441545349534854ull
#define VERSION 4u

static void make_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static void read_boot(char boot[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, boot, 36);
	if (fd >= 0)
		close(fd);
	boot[length < 0 ? 0 : length] = '\0';
}

static bool usable(int fd, const char *boot)
{
	struct sim_header header = {0};
	ssize_t length = pread(fd, &header, sizeof header, 0);
	return length == sizeof header && header.magic == MAGIC && header.version == VERSION &&
	       header.size == sizeof(struct sim_state) && strcmp(header.boot, boot) == 0;
}

static void make_state(struct sim_state *state, const char *boot)
{
	state->header.version = VERSION;
	state->header.size = sizeof *state;
	snprintf(state->header.boot, sizeof state->header.boot, "%s", boot);
	sim_clock_make(&state->clock);
	make_mutex(&state->clock.passing);
	make_mutex(&state->lock);
	for (int i = 0; i < SIM_PROCESSES; i++)
		make_mutex(&state->processes[i].life);
	__atomic_store_n(&state->header.magic, MAGIC, __ATOMIC_RELEASE);
}

/*
 * A state from an earlier boot is made anew: the kernel that would have marked
 * its mutexes is gone, so its processes would seem to live for ever.
 */
static struct sim_state *map_state(int fd)
{
	char boot[40] = "";
	read_boot(boot);
	if (flock(fd, LOCK_EX) != 0)
		return NULL;
	bool fresh = !usable(fd, boot);
	if (fresh && (ftruncate(fd, 0) != 0 || ftruncate(fd, sizeof(struct sim_state)) != 0))
		return NULL;
	void *memory = mmap(NULL, sizeof(struct sim_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (fresh)
		make_state(memory, boot);
	flock(fd, LOCK_UN); /* closing would not do: the mapping keeps the file open, and locked */
	return memory;
}

struct sim_state *sim_state_open(const char *directory)
{
	char path[4096];
	int length = snprintf(path, sizeof path, "%s/state", directory);
	if (length < 0 || (size_t)length >= sizeof path)
		return NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct sim_state *state = fd < 0 ? NULL : map_state(fd);
	if (!state)
		fprintf(stderr, "hetero-sim: %s:0: state: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return state;
}

/* Memory of a card is the sum of the ledgers; a holder may have died between writing the two. */
static void recount(struct sim_state *state)
{
	for (int card = 0; card < SIM_PLACES; card++) {
		uint64_t used = 0;
		for (uint32_t i = 0; i < state->slots_used; i++)
			used += state->processes[i].taken ? state->processes[i].memory[card] : 0;
		state->cards[card].memory_used = used;
	}
}

void sim_lock(struct sim_state *state)
{
	if (pthread_mutex_lock(&state->lock) == EOWNERDEAD) {
		recount(state);
		sim_work_recount(state);
		pthread_mutex_consistent(&state->lock);
	}
}

void sim_unlock(struct sim_state *state)
{
	pthread_mutex_unlock(&state->lock);
}
