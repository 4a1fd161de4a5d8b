/* What a kernel is predicted to take, from what was measured: the truth of a device of one's own, and no fool of its neighbours. */
#include "estimate.h"

#include "testhelper.h"

#define MS 1000000

/* Each test has kinds of its own. */
static uint64_t fresh_key(void)
{
	static unsigned int kinds;
	return estimate_key(0x7000, ++kinds, 1, 1, 32, 1);
}

static struct estimate *fresh(void)
{
	return estimate_of(fresh_key());
}

static int64_t learn(struct estimate *estimate, int64_t ns, bool alone)
{
	const struct measurement measurement = {.ns = ns, .charged = estimate->ns, .launches = 1, .others = !alone, .exact = true};
	return estimate_learn(estimate, &measurement);
}

static struct estimate *measured(int64_t ns, bool alone)
{
	struct estimate *estimate = fresh();
	learn(estimate, ns, alone);
	return estimate;
}

static void an_unknown_kind_is_charged_when_it_has_been_measured(void)
{
	struct estimate *estimate = fresh();
	const struct measurement late = {.ns = 2 * MS, .charged = 0, .launches = 1, .others = 1, .exact = true};
	for (int i = 0; i < 5; i++)
		CHECK(estimate_charge(estimate) == 0);
	CHECK(estimate_learn(estimate, &late) == 5 * 2 * MS);
	CHECK(estimate_charge(estimate) == 2 * MS);
	CHECK(estimate_learn(estimate, &late) == 0); /* the second of the five: it is paid for */
	CHECK(learn(estimate, 2 * MS, false) == 0);
}

static void the_first_launches_of_a_kind_are_measured(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 4; i++) {
		CHECK(estimate_turn(estimate, 1));
		learn(estimate, MS / 100, true);
	}
	CHECK(estimate_turn(estimate, 1)); /* then it is counted */
	CHECK(!estimate_turn(estimate, 1));
}

/* As many as are launched in about 2 ms of device time, so that measuring costs in proportion to what it is for. */
static void a_short_kind_is_measured_now_and_then(void)
{
	struct estimate *estimate = fresh();
	int turns = 0;
	for (int i = 0; i < 4; i++)
		learn(estimate, MS / 10, true);
	for (int i = 0; i < 2000; i++)
		turns += estimate_turn(estimate, 1);
	CHECK(turns > 80 && turns < 130);
}

static void a_kind_that_is_launched_seldom_is_measured_again(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 4; i++)
		learn(estimate, MS / 100, true);
	CHECK(estimate_turn(estimate, MS) && !estimate_turn(estimate, 2 * MS));
	CHECK(estimate_turn(estimate, 100 * MS) && !estimate_turn(estimate, 101 * MS));
}

static void a_long_kind_is_measured_each_time(void)
{
	struct estimate *estimate = measured(MS, true);
	for (int i = 0; i < 50; i++) {
		CHECK(estimate_turn(estimate, 1));
		learn(estimate, MS, true);
	}
}

/* The fast path counts down by itself; none of its launches is counted twice or not at all. */
static void launches_of_the_fast_path_are_counted(void)
{
	struct estimate *estimate = fresh();
	unsigned launches = 0, counted = 0;
	for (int i = 0; i < 4; i++)
		learn(estimate, MS / 100, true);
	for (int i = 0; i < 3000; i++, launches++)
		if (i % 7 && estimate->until > 1) {
			estimate->until--;
		} else {
			counted += 1 + estimate_passed(estimate);
			estimate_turn(estimate, 1);
		}
	CHECK(counted + estimate_passed(estimate) == launches);
}

/* A kernel whose time differs from launch to launch: what is charged in all is what it took in all. */
static void alone_the_mean_is_charged(void)
{
	const int64_t times[] = {MS / 2, 3 * MS / 2, MS, 3 * MS / 4, 5 * MS / 4};
	struct estimate *estimate = measured(MS, true);
	int64_t took = 0, charged = 0;
	for (int i = 0; i < 1000; i++) {
		int64_t ns = times[i * 7 % 5];
		took += ns;
		charged += estimate_charge(estimate);
		if (i % 3 == 0)
			charged += learn(estimate, ns, true);
	}
	CHECK(charged > took * 98 / 100 && charged < took * 102 / 100);
	CHECK(estimate->ns > MS * 9 / 10 && estimate->ns < MS * 11 / 10);
}

/* A collective kernel that its peer, held back, kept waiting for a second. */
static void what_waited_for_a_peer_is_charged_a_bounded_multiple(void)
{
	struct estimate *estimate = measured(MS, true);
	for (int i = 0; i < 8; i++)
		learn(estimate, MS, true);
	CHECK(learn(estimate, 1000 * MS, true) <= 5 * MS);
	CHECK(estimate->ns <= 2 * MS);
}

static void a_neighbour_does_not_change_the_prediction(void)
{
	struct estimate *estimate = measured(2 * MS, true);
	for (int i = 0; i < 7; i++)
		CHECK(learn(estimate, 9 * MS, false) == 0);
	CHECK(estimate->ns == 2 * MS);
}

static void with_a_neighbour_one_of_the_shorter_is_charged(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 64; i++)
		learn(estimate, (i % 4 ? 9 : 2) * MS, false);
	CHECK(estimate->ns == 2 * MS);
}

static void what_a_neighbour_spoiled_is_forgotten_when_he_is_gone(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 32; i++)
		learn(estimate, 9 * MS, false);
	learn(estimate, 2 * MS, true);
	CHECK(estimate->ns == 2 * MS);
	CHECK(estimate_turn(estimate, 1));
}

static void alone_a_kernel_that_became_longer_is_believed(void)
{
	struct estimate *estimate = measured(2 * MS, true);
	for (int i = 0; i < 2 * ESTIMATE_WINDOW; i++)
		learn(estimate, 9 * MS, true);
	CHECK(estimate->ns > 17 * MS / 2 && estimate->ns <= 9 * MS);
}

/* Beside a neighbour, twenty times as long from one launch to the next: measured at each launch, and then all are paid for. */
static void in_company_a_kernel_that_became_longer_is_paid_for(void)
{
	struct estimate *estimate = measured(MS / 10, false);
	for (int i = 0; i < 40; i++)
		learn(estimate, MS / 10, false);
	estimate_turn(estimate, 1);
	int launches = 0;
	int64_t charged = 0;
	for (; estimate->ns < 2 * MS && launches < 1000; launches++) {
		bool turn = estimate_turn(estimate, 1);
		charged += estimate_charge(estimate);
		charged += turn ? learn(estimate, 2 * MS, false) : 0;
	}
	CHECK(launches < 50);
	CHECK(charged > (int64_t)launches * 2 * MS / 3);
}

/* Kernels longer than a time slice: a neighbour stretches each of them, up to the double. */
static void what_neighbours_explain_is_no_growth(void)
{
	struct estimate *estimate = measured(20 * MS, false);
	for (int i = 0; i < 200; i++)
		CHECK(learn(estimate, 40 * MS, false) == 0);
	CHECK(estimate->ns == 20 * MS);
	for (int i = 0; i < 20; i++)
		learn(estimate, 60 * MS, false);
	CHECK(estimate->ns == 60 * MS);
}

/* A first run beside others took four times as long: the next undisturbed one shows what was charged too much. */
static void in_company_what_was_charged_too_much_comes_back(void)
{
	struct estimate *estimate = fresh();
	const struct measurement first = {.ns = 8 * MS, .launches = 1, .others = 3, .exact = true};
	int64_t charged = estimate_charge(estimate);
	charged += estimate_learn(estimate, &first);
	for (int i = 0; i < 4; i++) {
		charged += estimate_charge(estimate);
		charged += learn(estimate, i < 3 ? 8 * MS : 2 * MS, false);
	}
	CHECK(charged >= 5 * 2 * MS && charged <= 6 * 2 * MS);
}

static void a_kind_that_always_surprises_is_measured_as_usual(void)
{
	struct estimate *estimate = measured(MS / 100, false);
	int turns = 0;
	for (int i = 0; i < 20000; i++)
		if (estimate_turn(estimate, 1)) {
			turns++;
			learn(estimate, turns % 2 ? MS / 100 : MS / 20, false);
		}
	CHECK(turns < 20000 / 50);
}

static void a_sample_stands_for_those_since_the_one_before(void)
{
	struct estimate *estimate = measured(MS / 10, true);
	const struct measurement more = {.ns = MS / 5, .charged = MS / 10, .launches = 10, .exact = true};
	CHECK(estimate_learn(estimate, &more) == 10 * (MS / 10));
}

/* The same call, with more to do each time: what is charged follows at once. */
static void alone_a_kernel_that_grows_is_charged_as_it_grows(void)
{
	struct estimate *estimate = measured(MS / 20, true);
	int64_t took = 0, charged = 0;
	for (int64_t ns = MS / 20; ns <= 2 * MS; ns += ns)
		for (int i = 0; i < 9; i++, took += ns) {
			charged += estimate_charge(estimate);
			if (i % 3 == 0)
				charged += learn(estimate, ns, true);
		}
	CHECK(charged > took / 2 && charged < took * 12 / 10);
}

static void a_sample_on_an_idle_stream_counts_only_where_there_is_no_better(void)
{
	struct measurement idle = {.ns = MS / 20, .launches = 1};
	struct estimate *estimate = fresh();
	estimate_learn(estimate, &idle);
	CHECK(estimate->ns == MS / 20);
	learn(estimate, MS / 100, true);
	CHECK(estimate->ns == MS / 100);
	idle.charged = estimate->ns;
	CHECK(estimate_learn(estimate, &idle) == 0);
	CHECK(estimate->ns == MS / 100);
}

static void an_unknown_kind_gets_so_many_ahead_while_one_is_awaited(void)
{
	struct estimate *estimate = fresh();
	estimate->awaited = 1;
	for (int i = 0; i < 8; i++) {
		CHECK(estimate_suffices(estimate, 8));
		estimate_charge(estimate);
	}
	CHECK(!estimate_suffices(estimate, 8));
	estimate->awaited = 0; /* nothing will ever be known: launch all the same */
	CHECK(estimate_suffices(estimate, 8));
	estimate->awaited = 1;
	learn(estimate, MS, false);
	CHECK(estimate_suffices(estimate, 8));
}

static void a_kind_that_is_forgotten_is_unknown(void)
{
	uint64_t key = fresh_key();
	learn(estimate_of(key), MS, true);
	CHECK(estimate_peek(key)->ns == MS);
	estimate_forget(key);
	CHECK(estimate_of(key)->ns == 0 && estimate_turn(estimate_of(key), 1));
}

static void what_is_expected_gives_way_to_what_is_measured(void)
{
	uint64_t key = fresh_key();
	estimate_expect(key, 7 * MS);
	CHECK(estimate_charge(estimate_of(key)) == 7 * MS);
	learn(estimate_of(key), MS, true);
	CHECK(estimate_of(key)->ns == MS);
	estimate_expect(key, 7 * MS);
	CHECK(estimate_of(key)->ns == MS);
}

static void kinds_are_told_apart(void)
{
	const uint64_t keys[] = {estimate_key(1, 2, 1, 1, 1, 1), estimate_key(1, 1, 2, 1, 1, 1),
				 estimate_key(1, 1, 1, 2, 1, 1), estimate_key(1, 1, 1, 1, 2, 1),
				 estimate_key(1, 1, 1, 1, 1, 2), estimate_key(2, 1, 1, 1, 1, 1)};
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
		learn(estimate_of(keys[i]), i + 1, true);
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
		CHECK(estimate_of(keys[i])->ns == i + 1);
}

static void a_full_table_gives_a_row_to_a_new_kind(void)
{
	for (uint64_t kind = 1; kind <= 20000; kind++)
		learn(estimate_of(kind * 0x9E3779B97F4A7C15u), (int64_t)kind, true);
	struct estimate *newest = estimate_of(fresh_key());
	CHECK(newest->ns == 0 && newest->samples == 0);
	CHECK(learn(newest, MS, true) == MS && newest->ns == MS);
}

int main(void)
{
	an_unknown_kind_is_charged_when_it_has_been_measured();
	the_first_launches_of_a_kind_are_measured();
	a_short_kind_is_measured_now_and_then();
	a_kind_that_is_launched_seldom_is_measured_again();
	a_long_kind_is_measured_each_time();
	launches_of_the_fast_path_are_counted();
	alone_the_mean_is_charged();
	what_waited_for_a_peer_is_charged_a_bounded_multiple();
	a_neighbour_does_not_change_the_prediction();
	with_a_neighbour_one_of_the_shorter_is_charged();
	what_a_neighbour_spoiled_is_forgotten_when_he_is_gone();
	alone_a_kernel_that_became_longer_is_believed();
	in_company_a_kernel_that_became_longer_is_paid_for();
	what_neighbours_explain_is_no_growth();
	in_company_what_was_charged_too_much_comes_back();
	a_kind_that_always_surprises_is_measured_as_usual();
	a_sample_stands_for_those_since_the_one_before();
	alone_a_kernel_that_grows_is_charged_as_it_grows();
	a_sample_on_an_idle_stream_counts_only_where_there_is_no_better();
	an_unknown_kind_gets_so_many_ahead_while_one_is_awaited();
	a_kind_that_is_forgotten_is_unknown();
	what_is_expected_gives_way_to_what_is_measured();
	kinds_are_told_apart();
	a_full_table_gives_a_row_to_a_new_kind();
	return TEST_RESULT();
}
