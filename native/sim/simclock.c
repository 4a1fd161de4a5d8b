/*
 * libsimclock.so: a program and the libraries beside it read the time of a
 * simulated machine with a virtual clock, and sleep by it.  On any other machine
 * nothing changes.
 *
 * It is for CLOCK_MONOTONIC in its three forms.  A sleep for some time is one by
 * this clock whatever clock the program names; a sleep until some time of another
 * clock is a real one.
 */
#include "machine/config.h"
#include "machine/state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

__attribute__((constructor)) static void follow_the_machine(void)
{
	static struct sim_config config;
	const char *directory = getenv("HETERO_SIM_DIR");
	if (!directory || !*directory || !sim_config_read(directory, &config) || !config.virtual_clock)
		return;
	struct sim_state *state = sim_state_open(directory);
	if (state)
		sim_clock_follow(state);
}

static bool is_steady(clockid_t clock)
{
	return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE;
}

static struct timespec moment(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / SIM_SECOND_NS), .tv_nsec = (long)(ns % SIM_SECOND_NS)};
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!sim_clock_is_virtual() || !is_steady(clock))
		return (int)syscall(SYS_clock_gettime, clock, time);
	*time = moment(sim_clock_read());
	return 0;
}

static bool valid(const struct timespec *time)
{
	return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < (long)SIM_SECOND_NS;
}

/* Even a sleep for no time takes some: a program may be waiting for something by such sleeps. */
static uint64_t after_a_while(uint64_t now, const struct timespec *time)
{
	uint64_t ns = (uint64_t)time->tv_sec * SIM_SECOND_NS + (uint64_t)time->tv_nsec;
	return now + (ns < 1000 ? 1000 : ns);
}

/* As clock_nanosleep, returns the error. */
static int sleep_for(const struct timespec *time, struct timespec *left)
{
	if (!valid(time))
		return EINVAL;
	uint64_t until = after_a_while(sim_now(), time);
	if (sim_sleep_or_signal(until))
		return 0;
	uint64_t now = sim_now();
	if (left)
		*left = moment(until > now ? until - now : 0);
	return EINTR;
}

static int sleep_until(const struct timespec *time)
{
	if (!valid(time))
		return EINVAL;
	return sim_sleep_or_signal((uint64_t)time->tv_sec * SIM_SECOND_NS + (uint64_t)time->tv_nsec) ? 0 : EINTR;
}

EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	bool absolute = flags & TIMER_ABSTIME;
	if (!sim_clock_is_virtual() || (absolute && !is_steady(clock)))
		return syscall(SYS_clock_nanosleep, clock, flags, time, left) == 0 ? 0 : errno;
	return absolute ? sleep_until(time) : sleep_for(time, left);
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left)
{
	int error = clock_nanosleep(CLOCK_MONOTONIC, 0, time, left);
	if (error)
		errno = error;
	return error ? -1 : 0;
}

EXPORT int usleep(useconds_t us)
{
	struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	return nanosleep(&time, NULL);
}

EXPORT unsigned int sleep(unsigned int seconds)
{
	struct timespec time = {.tv_sec = seconds}, left = {0};
	return nanosleep(&time, &left) == 0 ? 0 : (unsigned int)left.tv_sec;
}
