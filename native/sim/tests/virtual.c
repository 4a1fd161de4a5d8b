/*
 * The virtual clock: device time passes when all sleep, to the nanosecond, for
 * the program as for the card, in one process and in several.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#define MS 1000000ull
#define SECOND 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec now;
	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* So that a thread works or sleeps for a while of the real time. */
static uint64_t real_ns(void)
{
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static CUfunction named(const char *name)
{
	CUmodule module;
	CUfunction function;
	OK(cuModuleLoadData(&module, "any image"));
	OK(cuModuleGetFunction(&function, module, name));
	return function;
}

static CUfunction kernel(void)
{
	return named("work");
}

static void work(CUfunction function, uint64_t microseconds)
{
	void *parameters[] = {&microseconds};
	OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL));
}

static CUevent mark(void)
{
	CUevent event;
	OK(cuEventCreate(&event, CU_EVENT_DEFAULT));
	OK(cuEventRecord(event, NULL));
	return event;
}

static uint64_t microseconds_between(CUevent start, CUevent end)
{
	float milliseconds;
	OK(cuEventElapsedTime(&milliseconds, start, end));
	return (uint64_t)((double)milliseconds * 1000 + 0.5);
}

static void kernels_take_exactly_their_time(void)
{
	CUfunction function = (use_card(0), kernel());
	uint64_t start = now_ns();
	for (int i = 0; i < 50; i++)
		work(function, 200000);
	OK(cuCtxSynchronize());
	EXPECT(10 * SECOND, now_ns() - start);
}

static void sleeps_take_exactly_their_time(void)
{
	uint64_t start = now_ns();
	const struct timespec pause = {.tv_sec = 2, .tv_nsec = 5}, wrong = {.tv_nsec = 1000000000};
	OK(nanosleep(&pause, NULL));
	EXPECT(2 * SECOND + 5, now_ns() - start);
	OK(usleep(700));
	OK(sleep(3));
	EXPECT(5 * SECOND + 5 + 700000, now_ns() - start);
	const struct timespec until = {.tv_sec = (time_t)(start / SECOND) + 20};
	OK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
	EXPECT((start / SECOND + 20) * SECOND, now_ns());
	EXPECT(EINVAL, clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, NULL));
}

static void a_long_queue_is_run_in_full(void)
{
	CUfunction function = (use_card(0), kernel());
	uint64_t start = now_ns();
	CUevent first = mark();
	work(function, 8);
	CUevent second = mark();
	for (int i = 0; i < 5000; i++)
		work(function, 8);
	OK(cuCtxSynchronize());
	EXPECT(5001 * 8000, now_ns() - start);
	EXPECT(8, microseconds_between(first, second)); /* asked for long after the queue forgot the work */
}

/* By parameters in a buffer, as some programs give them. */
static CUresult launch_varied(CUfunction function, uint64_t microseconds, uint64_t percent, uint64_t seed)
{
	uint64_t values[] = {microseconds, percent, seed};
	size_t size = sizeof values;
	void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, values, (void *)2, &size, CU_LAUNCH_PARAM_END};
	return cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra);
}

static uint64_t time_of_varied(CUfunction function, uint64_t percent, uint64_t seed)
{
	uint64_t start = now_ns();
	OK(launch_varied(function, 1000, percent, seed));
	OK(cuCtxSynchronize());
	return now_ns() - start;
}

static void varied_kernels_spread_about_their_mean(void)
{
	CUfunction function = (use_card(0), named("varied"));
	uint64_t sum = 0, least = UINT64_MAX, most = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t ns = time_of_varied(function, 30, 7);
		sum += ns;
		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	EXPECT(true, sum > 990 * MS && sum < 1010 * MS);
	EXPECT(true, least >= 7 * MS / 10 && least < 72 * MS / 100);
	EXPECT(true, most <= 13 * MS / 10 && most > 128 * MS / 100);
	EXPECT(MS, time_of_varied(function, 0, 7));
	EXPECT(CUDA_ERROR_INVALID_VALUE, launch_varied(function, 1000, 101, 7));
}

static void a_seed_determines_the_times_of_a_function(void)
{
	CUfunction one = (use_card(0), named("varied")), same = named("varied"), other = named("varied");
	int differ = 0;
	for (int i = 0; i < 10; i++) {
		uint64_t ns = time_of_varied(one, 50, 1);
		EXPECT(ns, time_of_varied(same, 50, 1));
		differ += ns != time_of_varied(other, 50, 2);
	}
	EXPECT(10, differ);
}

static void launch_one_of_10_ms(void)
{
	CUfunction function = (use_card(0), kernel());
	CUevent start = mark();
	work(function, 10000);
	CUevent end = mark();
	OK(cuCtxSynchronize());
	uint64_t took = microseconds_between(start, end);
	EXPECT(true, took == 18000 || took == 20000); /* the other had five slices of 2 ms meanwhile, or four */
}

/* They start together; what an event pair shows contains the time in which the other had the card. */
static void tenants_share_the_card_by_slices(void)
{
	setenv("HETERO_SIM_PARTIES", "2", 1);
	pid_t one = start_child(launch_one_of_10_ms), other = start_child(launch_one_of_10_ms);
	expect_child(one);
	expect_child(other);
	unsetenv("HETERO_SIM_PARTIES");
}

static void loop_for_a_second(void)
{
	CUfunction function = (use_card(0), kernel());
	uint64_t start = now_ns(), done = 0;
	for (; now_ns() - start < SECOND; done++) {
		work(function, 1000);
		OK(cuCtxSynchronize());
	}
	EXPECT(true, done > 300 && done < 400);
}

static void three_tenants_get_a_third_each(void)
{
	pid_t children[3];
	setenv("HETERO_SIM_PARTIES", "3", 1);
	for (int i = 0; i < 3; i++)
		children[i] = start_child(loop_for_a_second);
	for (int i = 0; i < 3; i++)
		expect_child(children[i]);
	unsetenv("HETERO_SIM_PARTIES");
}

static void launch_an_hour(void)
{
	CUfunction function = (use_card(0), kernel());
	work(function, 3600000000);
	OK(usleep(5000));
	kill(getpid(), SIGKILL);
}

/* The neighbour dies after 5 ms and has had two slices by then, or a slice and a half. */
static void who_waits_gains_from_the_death_of_a_neighbour(void)
{
	setenv("HETERO_SIM_PARTIES", "2", 1);
	pid_t child = start_child(launch_an_hour);
	CUfunction function = (use_card(0), kernel());
	uint64_t start = now_ns();
	work(function, 100000);
	OK(cuCtxSynchronize());
	uint64_t took = now_ns() - start;
	EXPECT(true, took == 102 * MS || took == 103 * MS); /* 200 if the neighbour had lived */
	unsetenv("HETERO_SIM_PARTIES");
	waitpid(child, NULL, 0);
}

static _Atomic bool worked;

static void *work_for_a_while(void *begun)
{
	now_ns();
	tell(begun);
	for (uint64_t start = real_ns(); real_ns() - start < 30 * MS;)
		;
	worked = true;
	return NULL;
}

static void who_works_holds_the_time(void)
{
	int begun[2];
	pthread_t worker;
	OK(pipe(begun));
	OK(pthread_create(&worker, NULL, work_for_a_while, begun));
	await(begun);
	OK(sleep(1000));
	EXPECT(true, worked);
	OK(pthread_join(worker, NULL));
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *sleep_with_the_gate(void *begun)
{
	pthread_mutex_lock(&gate);
	tell(begun);
	OK(sleep(1000));
	pthread_mutex_unlock(&gate);
	return NULL;
}

static void who_is_blocked_does_not(void)
{
	int begun[2];
	pthread_t sleeper;
	uint64_t start = now_ns();
	OK(pipe(begun));
	OK(pthread_create(&sleeper, NULL, sleep_with_the_gate, begun));
	await(begun);
	pthread_mutex_lock(&gate);
	EXPECT(1000 * SECOND, now_ns() - start);
	OK(pthread_join(sleeper, NULL));
}

/* Each hands on to the other by a pipe: at every moment one of the two works, though both are seen blocked. */
static void *hand_back(void *argument)
{
	struct steps *hands = argument;
	now_ns();
	for (int i = 0; i < 2000; i++) {
		await(hands->to_child);
		tell(hands->to_parent);
	}
	return NULL;
}

static void *hand_on(void *argument)
{
	struct steps *hands = argument;
	pthread_t other;
	now_ns();
	OK(pthread_create(&other, NULL, hand_back, hands));
	for (int i = 0; i < 2000; i++) {
		tell(hands->to_child);
		await(hands->to_parent);
	}
	worked = true;
	OK(pthread_join(other, NULL));
	return NULL;
}

static void who_wakes_another_before_he_blocks_is_not_missed(void)
{
	struct steps hands;
	pthread_t first;
	worked = false;
	make_steps(&hands);
	OK(pthread_create(&first, NULL, hand_on, &hands));
	while (real_ns() % 64)
		;
	OK(sleep(1)); /* passes only when the thread did not begin yet, or both have ended */
	OK(pthread_join(first, NULL));
	EXPECT(true, worked);
}

static void who_asks_again_and_again_sees_it_happen(void)
{
	CUfunction function = (use_card(0), kernel());
	work(function, 1000);
	while (cuStreamQuery(NULL) == CUDA_ERROR_NOT_READY)
		;
	uint64_t until = now_ns() + MS;
	while (now_ns() < until)
		;
	EXPECT(true, now_ns() < until + MS);
}

static void end_at_once(void)
{
	now_ns();
	kill(getpid(), SIGKILL);
}

static void the_dead_hold_nothing(void)
{
	uint64_t start = now_ns();
	pid_t child = start_child(end_at_once);
	OK(sleep(10));
	EXPECT(10 * SECOND, now_ns() - start);
	waitpid(child, NULL, 0);
}

static void on_signal(int number)
{
	(void)number;
}

static _Atomic bool slept;

/* Again and again, since a signal that comes while the sleeper looks at the others does not end its sleep. */
static void *send_signals(void *thread)
{
	const struct timespec pause = {.tv_nsec = MS};
	while (!slept) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		syscall(SYS_nanosleep, &pause, NULL);
	}
	return NULL;
}

static void *work_until_it_slept(void *begun)
{
	now_ns();
	tell(begun);
	while (!slept)
		;
	return NULL;
}

/* Somebody else works all the time, so that nothing but a signal can end it. */
static void a_signal_ends_a_sleep(void)
{
	struct timespec pause = {.tv_sec = 1000}, left;
	int begun[2];
	pthread_t worker, sender, mine = pthread_self();
	signal(SIGUSR1, on_signal);
	OK(pipe(begun));
	OK(pthread_create(&worker, NULL, work_until_it_slept, begun));
	await(begun);
	OK(pthread_create(&sender, NULL, send_signals, &mine));
	EXPECT(-1, nanosleep(&pause, &left));
	EXPECT(EINTR, errno);
	EXPECT(1000, left.tv_sec);
	slept = true;
	OK(pthread_join(sender, NULL));
	OK(pthread_join(worker, NULL));
}

static void launches_cost_what_the_machine_says(void)
{
	CUfunction function = (use_card(0), kernel());
	uint64_t start = now_ns();
	for (int i = 0; i < 100; i++)
		work(function, 1);
	EXPECT(100 * 2500, now_ns() - start);
}

static void time_stamps_follow_the_clock(void)
{
	nvmlProcessUtilizationSample_t before, after;
	nvmlDevice_t device;
	unsigned count = 1;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
	CUfunction function = (use_card(0), kernel());
	work(function, 500000);
	OK(cuCtxSynchronize());
	OK(nvmlDeviceGetProcessUtilization(device, &before, &count, 0));
	EXPECT(50, before.smUtil);
	OK(usleep(250000));
	OK(nvmlDeviceGetProcessUtilization(device, &after, &count, 0));
	EXPECT(250000, after.timeStamp - before.timeStamp);
}

static nvmlDevice_t managed_card(void)
{
	nvmlDevice_t device;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
	return device;
}

/* -1 when it is not in the list. */
static int64_t listed_mib(nvmlDevice_t device, pid_t process)
{
	nvmlProcessInfo_t found[8];
	unsigned count = 8;
	OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, found));
	for (unsigned i = 0; i < count; i++)
		if (found[i].pid == (unsigned)process)
			return (int64_t)(found[i].usedGpuMemory / MIB);
	return -1;
}

static unsigned busy_percent(nvmlDevice_t device)
{
	nvmlUtilization_t utilization;
	OK(nvmlDeviceGetUtilizationRates(device, &utilization));
	return utilization.gpu;
}

static void allocate_and_end(void)
{
	CUdeviceptr pointer;
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 32 * MIB));
	OK(usleep(2000000));
}

/* With a lag of 800 ms. */
static void what_is_told_of_processes_lags(void)
{
	nvmlDevice_t device = managed_card();
	CUdeviceptr pointer;
	CUfunction function = (use_card(0), kernel());
	EXPECT(-1, listed_mib(device, getpid()));
	OK(usleep(900000));
	EXPECT(0, listed_mib(device, getpid()));
	OK(cuMemAlloc_v2(&pointer, 64 * MIB));
	work(function, 1000000);
	OK(usleep(700000));
	EXPECT(0, listed_mib(device, getpid()));
	EXPECT(0, busy_percent(device));
	OK(usleep(500000));
	EXPECT(64, listed_mib(device, getpid()));
	unsigned busy = busy_percent(device); /* of the second that ended 400 ms after the launch, in steps of 10 ms */
	EXPECT(true, busy >= 40 && busy <= 42);
	OK(usleep(5000000));
	EXPECT(0, busy_percent(device));
	EXPECT(64, listed_mib(device, getpid()));
}

static void who_has_ended_is_listed_for_a_while(void)
{
	nvmlDevice_t device = managed_card();
	setenv("HETERO_SIM_PARTIES", "2", 1);
	pid_t child = start_child(allocate_and_end);
	use_card(0);
	OK(usleep(1900000));
	EXPECT(32, listed_mib(device, child));
	OK(usleep(200000)); /* it has ended for 100 ms */
	expect_child(child);
	EXPECT(32, listed_mib(device, child));
	OK(usleep(1000000));
	EXPECT(-1, listed_mib(device, child));
	unsetenv("HETERO_SIM_PARTIES");
}

static void run_all(void)
{
	in_child(kernels_take_exactly_their_time);
	in_child(sleeps_take_exactly_their_time);
	in_child(a_long_queue_is_run_in_full);
	in_child(varied_kernels_spread_about_their_mean);
	in_child(a_seed_determines_the_times_of_a_function);
	in_child(tenants_share_the_card_by_slices);
	in_child(three_tenants_get_a_third_each);
	in_child(who_waits_gains_from_the_death_of_a_neighbour);
	in_child(who_works_holds_the_time);
	in_child(who_is_blocked_does_not);
	in_child(who_wakes_another_before_he_blocks_is_not_missed);
	in_child(who_asks_again_and_again_sees_it_happen);
	in_child(the_dead_hold_nothing);
	in_child(a_signal_ends_a_sleep);
	in_child(time_stamps_follow_the_clock);
	write_cards("clock = virtual\nlaunch_ns = 2500\n" CARD_A);
	in_child(launches_cost_what_the_machine_says);
	write_cards("clock = virtual\nnvml_lag_ms = 800\n" CARD_A);
	in_child(what_is_told_of_processes_lags);
	in_child(who_has_ended_is_listed_for_a_while);
}

static void become_another_program(void)
{
	execl("/proc/self/exe", "virtual", "again", (char *)NULL);
	perror("exec");
	exit(1);
}

/* libsimclock.so looks for the machine when a program is loaded, so the tests are run by a second one. */
int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		snprintf(machine_directory, sizeof machine_directory, "%s", getenv("HETERO_SIM_DIR"));
		run_all();
		return 0;
	}
	use_machine("clock = virtual\n" CARD_A);
	in_child(become_another_program);
	remove_machine();
	return 0;
}
