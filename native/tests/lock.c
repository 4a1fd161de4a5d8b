/* The region's lock: one holder at a time, also while holders and waiters are killed. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define PROCESSES 6
#define TURNS 4000
#define KILLS 150

static char path[64];

static struct section {
	volatile pid_t inside; /* whoever holds the lock; what a killed one left is written over */
	volatile unsigned turns;
	_Atomic unsigned violations;
} *section;

static void take_a_turn(struct hetero_region *region)
{
	pid_t self = getpid();
	if (!hetero_region_lock(region)) {
		section->violations++;
		return;
	}
	section->inside = self;
	section->turns++;
	for (volatile int i = 0; i < 50; i++)
		if (section->inside != self)
			section->violations++;
	hetero_region_unlock(region);
}

static pid_t start(struct hetero_region *region, int turns)
{
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < turns || turns < 0; i++)
			take_a_turn(region);
		_exit(0);
	}
	CHECK(child > 0);
	return child;
}

static void turns_of_many_processes_do_not_overlap(struct hetero_region *region)
{
	*section = (struct section){0};
	int status;
	for (int i = 0; i < PROCESSES; i++)
		start(region, TURNS);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0);
	CHECK(section->turns == PROCESSES * TURNS);
	CHECK(section->violations == 0);
}

static void killing_holders_and_waiters_stops_nobody(struct hetero_region *region)
{
	pid_t children[PROCESSES];
	unsigned seed = 3;
	*section = (struct section){0};
	for (int i = 0; i < PROCESSES; i++)
		children[i] = start(region, -1);
	for (int i = 0; i < KILLS; i++) {
		unsigned one = (unsigned)rand_r(&seed) % PROCESSES;
		usleep((unsigned)rand_r(&seed) % 2000);
		if (children[one] > 0)
			kill(children[one], SIGKILL);
		waitpid(children[one], NULL, 0);
		children[one] = start(region, -1);
	}
	for (int i = 0; i < PROCESSES; i++)
		if (children[i] > 0)
			kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	CHECK(section->violations == 0 && section->turns > KILLS);
	take_a_turn(region);
	CHECK(section->violations == 0);
}

int main(void)
{
	const struct hetero_limits limits = {.any = true};
	hetero_log_set_level(0);
	snprintf(path, sizeof path, "/tmp/hetero-test-lock-%d.region", (int)getpid());
	section = mmap(NULL, sizeof *section, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct hetero_region *region = hetero_region_open(path, &limits);
	CHECK(region != NULL);
	if (!region)
		return EXIT_FAILURE;
	turns_of_many_processes_do_not_overlap(region);
	killing_holders_and_waiters_stops_nobody(region);
	unlink(path);
	return TEST_RESULT();
}
