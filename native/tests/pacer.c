/*
 * The compute budget: it fills at the limit's rate up to a burst, a debt is waited for, nobody is paid twice, and over a second
 * the share is the one asked for. The clock is this program's own: it stands still but for sleeping.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define MS 1000000ll
#define PATIENCE (100 * MS)

static char path[64];
static _Atomic uint64_t clock_ns = 1000000000000;
static struct hetero_region_device *lifted;
static int sleeps_until_lifted;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	uint64_t ns = clock_ns;
	*now = (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	clock_ns += (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
	if (lifted && sleeps_until_lifted > 0 && --sleeps_until_lifted == 0)
		lifted->core_limit = 0;
	return 0;
}

static struct hetero_region_device *device_with(struct hetero_region *region, unsigned device, uint32_t percent)
{
	struct hetero_region_device *place = &region->devices[device];
	atomic_store(hetero_pacer_drawn(region, device), 0);
	hetero_pacer_rate(device, 1);
	place->policy = HETERO_POLICY_CAP;
	place->core_limit = percent;
	place->busy_ns = place->throttled_ns = 0;
	place->budget_ns = 0;
	place->yield_until_ns = 0;
	place->refilled_ns = clock_ns;
	return place;
}

/* As a launch does. */
static void use(struct hetero_region *region, unsigned device, int64_t ns)
{
	_Atomic int64_t *drawn = hetero_pacer_drawn(region, device);
	if (*drawn < ns)
		hetero_pacer_draw(region, device, ns, PATIENCE);
	*drawn -= ns;
}

static void a_limit_is_between_0_and_100(struct hetero_region *region)
{
	const uint32_t no_limits[] = {0, 100, 101, UINT32_MAX}, limits[] = {1, 30, 99};
	for (unsigned i = 0; i < sizeof no_limits / sizeof *no_limits; i++) {
		device_with(region, 0, no_limits[i]);
		CHECK(!hetero_pacer_limit(region, 0));
	}
	for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
		device_with(region, 0, limits[i]);
		CHECK(hetero_pacer_limit(region, 0));
	}
}

static void time_that_passed_is_paid_in_at_the_limits_rate(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	clock_ns += 100 * MS;
	hetero_pacer_draw(region, 0, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 0) == 30 * MS);
	CHECK(place->throttled_ns == 0);
}

static void a_long_rest_saves_up_no_more_than_a_burst(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	clock_ns += 3600 * 1000 * MS;
	hetero_pacer_draw(region, 0, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 0) == 30 * MS);
}

static void a_new_account_starts_with_little(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 1, 50);
	place->refilled_ns = 0;
	hetero_pacer_draw(region, 1, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 1) == 5 * MS);
}

static void a_debt_is_waited_for(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 30);
	uint64_t start = clock_ns;
	use(region, 0, 6 * MS); /* there was no debt */
	CHECK(clock_ns == start);
	use(region, 0, MS);
	CHECK(clock_ns - start >= 20 * MS && clock_ns - start < 21 * MS);
	CHECK(place->throttled_ns == clock_ns - start);
}

/* A launch may be the one that a running kernel of another process waits for. */
static void patience_ends_and_the_debt_stays(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 10);
	uint64_t start = clock_ns;
	use(region, 0, 200 * MS);
	use(region, 0, 1 * MS);
	CHECK(clock_ns - start == (uint64_t)PATIENCE);
	CHECK(place->budget_ns < -180 * MS);
}

static void a_debt_is_forgiven_beyond_what_four_seconds_pay(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 0, 50);
	use(region, 0, 3600 * 1000 * MS);
	CHECK(place->budget_ns == -2000 * MS);
}

static void what_is_drawn_is_busy_time_and_goes_back_at_the_end(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 3, 40);
	clock_ns += 100 * MS;
	int64_t before = hetero_pacer_used(region, 3);
	use(region, 3, MS / 2);
	CHECK(place->busy_ns == 2 * MS); /* a grant: 40 percent of 5 ms */
	CHECK(hetero_pacer_used(region, 3) - before == MS / 2);
	hetero_pacer_leave(region, 3);
	CHECK(*hetero_pacer_drawn(region, 3) == 0);
	CHECK(place->busy_ns == MS / 2 && place->budget_ns == 40 * MS - MS / 2);
}

static void what_was_charged_too_much_goes_back(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 3, 40);
	use(region, 3, 30 * MS);
	*hetero_pacer_drawn(region, 3) += 28 * MS;
	hetero_pacer_draw(region, 3, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 3) + 2 * MS == (int64_t)place->throttled_ns * 40 / 100);
	CHECK(*hetero_pacer_drawn(region, 3) <= 4 * MS);
}

static void a_rate_makes_predictions_real(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 6, 50);
	hetero_pacer_rate(6, 0.5);
	use(region, 6, 100 * MS);
	CHECK(place->budget_ns == -50 * MS && place->busy_ns == 50 * MS);
}

static void who_has_no_limit_never_waits(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 2, 0);
	uint64_t start = clock_ns;
	use(region, 2, 3600 * 1000 * MS);
	hetero_pacer_count(region, 2, 7 * MS, 3);
	CHECK(clock_ns == start && place->budget_ns == 0 && place->busy_ns == 7 * MS);
	CHECK(hetero_slot_join(region)->launches[2] == 3);
}

/* A slice of 30 percent that has some more for so long. */
static struct hetero_region_device *lent_to(struct hetero_region *region, unsigned device, uint32_t percent, int64_t ns)
{
	struct hetero_region_device *place = device_with(region, device, 30);
	place->policy = HETERO_POLICY_CONSERVE;
	place->lent_percent = percent;
	place->lent_until_ns = clock_ns + (uint64_t)ns;
	return place;
}

static void a_loan_counts_until_it_expires(struct hetero_region *region)
{
	struct hetero_region_device *place = lent_to(region, 7, 50, 100 * MS);
	clock_ns += 2 * MS;
	hetero_pacer_draw(region, 7, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 7) == 2 * MS * 80 / 100);
	clock_ns += 98 * MS;
	hetero_pacer_draw(region, 7, 10 * MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 7) == (2 * 80 + 98 * 30) * MS / 100);
}

/* Of 100 percent, 70 of them lent, a neighbour leaves it 46: what it did not get of the loan is nothing that it is owed. */
static void a_loan_that_was_not_used_is_not_saved_up(struct hetero_region *region)
{
	struct hetero_region_device *place = lent_to(region, 11, 70, 200 * MS);
	for (int i = 0; i < 20; i++) {
		use(region, 11, 46 * MS / 10);
		clock_ns += 10 * MS;
	}
	place->lent_until_ns = 0;
	uint64_t start = clock_ns;
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 11) <= 8 * MS); /* kept, a grant, and a look's refill */
	for (int i = 0; i < 10; i++)
		use(region, 11, 46 * MS / 10);
	CHECK(clock_ns - start >= 100 * MS);
}

/* Beside a loan a slice saves what it was promised, as it does without: work that comes in bursts has its share. */
static void what_was_promised_is_saved_up_beside_a_loan(struct hetero_region *region)
{
	struct hetero_region_device *place = lent_to(region, 12, 10, 10000 * MS);
	clock_ns += 200 * MS;
	hetero_pacer_draw(region, 12, MS, PATIENCE);
	CHECK(place->budget_ns + *hetero_pacer_drawn(region, 12) == 30 * MS);
}

static void yield_to(struct hetero_region_device *place, uint32_t percent, int64_t ns)
{
	place->yield_percent = percent;
	place->yield_until_ns = clock_ns + (uint64_t)ns;
}

/* With a limit and without, below the limit and above; nothing but 1 to 99 percent is one, and nothing for long. */
static void who_yields_is_held_to_that(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 9, 0);
	yield_to(place, 1, 100 * MS);
	CHECK(hetero_pacer_limit(region, 9) == 1);
	place->core_limit = 30;
	CHECK(hetero_pacer_limit(region, 9) == 1);
	yield_to(place, 40, 100 * MS);
	CHECK(hetero_pacer_limit(region, 9) == 30);
	place->core_limit = 0;
	CHECK(hetero_pacer_limit(region, 9) == 40);
	const uint32_t none[] = {0, 100, UINT32_MAX};
	for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
		yield_to(place, none[i], 100 * MS);
		CHECK(hetero_pacer_limit(region, 9) == 0);
	}
	yield_to(place, 1, 3600 * 1000 * MS);
	CHECK(hetero_pacer_limit(region, 9) == 0);
}

/* Nobody has to end it: whoever renews it may be gone. */
static void a_yield_ends_by_itself_and_who_waits_notices(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 9, 0);
	uint64_t start = clock_ns;
	yield_to(place, 1, 100 * MS);
	hetero_pacer_draw(region, 9, 50 * MS, INT64_MAX);
	*hetero_pacer_drawn(region, 9) -= 50 * MS;
	hetero_pacer_draw(region, 9, 50 * MS, INT64_MAX);
	CHECK(clock_ns - start >= 100 * MS && clock_ns - start <= 111 * MS);
}

static void what_was_owed_under_a_yield_is_forgiven_after_it(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 9, 0);
	yield_to(place, 1, 100 * MS);
	hetero_pacer_draw(region, 9, 30 * MS, 0);
	*hetero_pacer_drawn(region, 9) -= 10 * MS;
	clock_ns += 200 * MS;
	hetero_pacer_lift(region, 9);
	CHECK(place->budget_ns == 0 && *hetero_pacer_drawn(region, 9) == 0);
	CHECK(place->busy_ns == 10 * MS); /* what was drawn and not used is no use */
}

/* Kernels of the five workloads of a limiter's comparison: 8 us to 20 ms. */
static void over_a_second_the_share_is_the_limit(struct hetero_region *region)
{
	const int64_t kernels[] = {8000, 1600000, 3000000, 10 * MS, 20 * MS};
	for (uint32_t limit = 10; limit <= 90; limit += 20)
		for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++) {
			device_with(region, 8, limit);
			int64_t got = 0, patience = 4 * kernels[i] * 100 / limit;
			uint64_t start = clock_ns, end = start + 1000 * MS;
			_Atomic int64_t *drawn = hetero_pacer_drawn(region, 8);
			for (; clock_ns < end; got += kernels[i]) {
				if (*drawn < kernels[i])
					hetero_pacer_draw(region, 8, kernels[i], patience > PATIENCE ? patience : PATIENCE);
				*drawn -= kernels[i];
			}
			CHECK(got >= (limit - 2) * 10 * MS && got <= (limit + 2) * 10 * MS + kernels[i]);
		}
}

static void a_limit_that_is_lifted_ends_the_waiting(struct hetero_region *region)
{
	struct hetero_region_device *place = device_with(region, 4, 1);
	use(region, 4, 3600 * 1000 * MS);
	lifted = place;
	sleeps_until_lifted = 3;
	hetero_pacer_draw(region, 4, MS, INT64_MAX);
	CHECK(sleeps_until_lifted == 0 && place->budget_ns < 0);
}

#define SPENDERS 4
#define PIECE (MS / 10)

static void *spend(void *region)
{
	for (int i = 0; i < 5000; i++)
		use(region, 5, PIECE);
	return NULL;
}

/* An upper bound that holds however the threads run: what was paid in, one grant, and one launch of each under way. */
static void threads_together_get_no_more_than_the_share(struct hetero_region *region)
{
	pthread_t threads[SPENDERS];
	device_with(region, 5, 50);
	uint64_t start = clock_ns;
	for (int i = 0; i < SPENDERS; i++)
		pthread_create(&threads[i], NULL, spend, region);
	for (int i = 0; i < SPENDERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(SPENDERS * 5000 * PIECE <= (int64_t)(clock_ns - start) / 2 + SPENDERS * (PIECE + 3 * MS));
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
	a_new_account_starts_with_little(region);
	a_debt_is_waited_for(region);
	patience_ends_and_the_debt_stays(region);
	a_debt_is_forgiven_beyond_what_four_seconds_pay(region);
	what_is_drawn_is_busy_time_and_goes_back_at_the_end(region);
	what_was_charged_too_much_goes_back(region);
	a_rate_makes_predictions_real(region);
	who_has_no_limit_never_waits(region);
	a_loan_counts_until_it_expires(region);
	a_loan_that_was_not_used_is_not_saved_up(region);
	what_was_promised_is_saved_up_beside_a_loan(region);
	who_yields_is_held_to_that(region);
	a_yield_ends_by_itself_and_who_waits_notices(region);
	what_was_owed_under_a_yield_is_forgiven_after_it(region);
	over_a_second_the_share_is_the_limit(region);
	a_limit_that_is_lifted_ends_the_waiting(region);
	threads_together_get_no_more_than_the_share(region);
	unlink(path);
	return TEST_RESULT();
}
