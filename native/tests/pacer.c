/* The compute budget: it fills at the limit's rate up to a burst, a debt is waited for, and nobody is paid twice. */
#include <pthread.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define MS 1000000ll

static char path[64];

static struct hetero_region_device *device_with(struct hetero_region *region, unsigned device, uint32_t percent)
{
	struct hetero_region_device *place = &region->devices[device];
	place->core_limit = percent;
	atomic_store(&place->budget_ns, 0);
	atomic_store(&place->refilled_ns, hetero_monotonic_ns());
	return place;
}

static void a_limit_is_between_0_and_100(struct hetero_region *region)
{
	const uint32_t no_limits[] = {0, 100, 101, UINT32_MAX}, limits[] = {1, 30, 99};
	for (unsigned i = 0; i < sizeof no_limits / sizeof *no_limits; i++) {
		device_with(region, 0, no_limits[i]);
		CHECK(!hetero_pacer_limits(region, 0));
	}
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
		device_with(region, 0, limits[i]);
		CHECK(hetero_pacer_limits(region, 0));
	}
}

static void time_that_passed_is_paid_in_at_the_limits_rate(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	atomic_fetch_sub(&place->refilled_ns, 10 * MS);
	hetero_pacer_wait(region, 0);
	CHECK(atomic_load(&place->budget_ns) >= 3 * MS);
	CHECK(atomic_load(&place->throttled_ns) == 0);
}

static void a_long_rest_saves_up_no_more_than_a_burst(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	atomic_store(&place->refilled_ns, 1); /* since the machine was started */
	hetero_pacer_wait(region, 0);
	CHECK(atomic_load(&place->budget_ns) == 12 * MS);
}

static void a_new_account_starts_with_a_burst(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 1, 50);
	atomic_store(&place->refilled_ns, 0);
	hetero_pacer_wait(region, 1);
	CHECK(atomic_load(&place->budget_ns) == 20 * MS);
}

static void a_debt_is_waited_for(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	uint64_t start = atomic_load(&place->refilled_ns);
	hetero_pacer_charge(region, 0, 3 * MS);
	hetero_pacer_wait(region, 0);
	CHECK(hetero_monotonic_ns() - start >= 10 * MS);
	CHECK(atomic_load(&place->budget_ns) >= 0);
	CHECK(atomic_load(&place->throttled_ns) > 0);
}

static void who_has_no_limit_never_waits_and_is_counted(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 2, 0);
	hetero_pacer_charge(region, 2, 3600 * 1000 * MS);
	hetero_pacer_wait(region, 2);
	CHECK(atomic_load(&place->budget_ns) == 0);
	CHECK(atomic_load(&place->busy_ns) == 3600 * 1000 * MS);
	CHECK(atomic_load(&place->throttled_ns) == 0);
}

static void what_was_taken_too_much_comes_back(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 3, 30);
	hetero_pacer_charge(region, 3, 5 * MS);
	hetero_pacer_charge(region, 3, -2 * MS);
	CHECK(atomic_load(&place->budget_ns) == -3 * MS);
	CHECK(atomic_load(&place->busy_ns) == 3 * MS);
	CHECK(atomic_load(&hetero_slot_join(region)->busy_ns[3]) == 3 * MS);
}

static void *lift_the_limit(void *place)
{
	usleep(20000);
	((struct hetero_region_device *)place)->core_limit = 0;
	return NULL;
}

/* Otherwise this test would last for hours. */
static void a_limit_that_is_lifted_ends_the_waiting(struct hetero_region *region)
{
	pthread_t thread;
	struct hetero_region_device *place = device_with(region, 4, 1);
	hetero_pacer_charge(region, 4, 3600 * 1000 * MS);
	pthread_create(&thread, NULL, lift_the_limit, place);
	hetero_pacer_wait(region, 4);
	CHECK(!hetero_pacer_limits(region, 4));
	pthread_join(thread, NULL);
}

#define SPENDERS 4
#define PIECE (MS / 10)

static void *spend(void *region)
{
	for (uint64_t end = hetero_monotonic_ns() + 150 * MS; hetero_monotonic_ns() < end;) {
		hetero_pacer_wait(region, 5);
		hetero_pacer_charge(region, 5, PIECE);
	}
	return NULL;
}

/* An upper bound that holds however slow the machine is: what was paid in, and one launch of each that is under way. */
static void threads_together_get_no_more_than_the_share(struct hetero_region *region)
{
	pthread_t threads[SPENDERS];
	struct hetero_region_device *place = device_with(region, 5, 50);
	uint64_t start = atomic_load(&place->refilled_ns);
	for (int i = 0; i < SPENDERS; i++)
		pthread_create(&threads[i], NULL, spend, region);
	for (int i = 0; i < SPENDERS; i++)
		pthread_join(threads[i], NULL);
	uint64_t share = (hetero_monotonic_ns() - start) / 2;
	CHECK(atomic_load(&place->busy_ns) > 20 * MS);
	CHECK(atomic_load(&place->busy_ns) <= share + SPENDERS * PIECE);
}

int main(void)
{
	const struct hetero_limits limits = {.any = true};
	snprintf(path, sizeof path, "/tmp/hetero-test-pacer-%d.region", (int)getpid());
	struct hetero_region *region = hetero_region_open(path, &limits);
	CHECK(region != NULL);
	if (!region)
		return EXIT_FAILURE;
	a_limit_is_between_0_and_100(region);
	time_that_passed_is_paid_in_at_the_limits_rate(region);
	a_long_rest_saves_up_no_more_than_a_burst(region);
	a_new_account_starts_with_a_burst(region);
	a_debt_is_waited_for(region);
	who_has_no_limit_never_waits_and_is_counted(region);
	what_was_taken_too_much_comes_back(region);
	a_limit_that_is_lifted_ends_the_waiting(region);
	threads_together_get_no_more_than_the_share(region);
	unlink(path);
	return TEST_RESULT();
}
