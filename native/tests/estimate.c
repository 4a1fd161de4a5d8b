/* What a kernel is predicted to take, from what was measured: the least of the last ones, without being fooled by neighbours. */
#include "estimate.h"

#include "testhelper.h"

#define MS 1000000

/* Each test has kinds of its own. */
static struct estimate *fresh(void)
{
	static uint64_t key = 1;
	return estimate_of(key += 1000);
}

static struct estimate *measured(int64_t ns)
{
	struct estimate *estimate = fresh();
	estimate_learn(estimate, ns);
	return estimate;
}

static void an_unknown_kind_is_charged_when_it_has_been_measured(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 5; i++)
		CHECK(estimate_charge(estimate) == 0);
	CHECK(estimate_learn(estimate, 2 * MS) == 5 * 2 * MS);
	CHECK(estimate_charge(estimate) == 2 * MS);
	CHECK(estimate_learn(estimate, 2 * MS) == 0);
}

static void the_first_launches_of_a_kind_are_measured(void)
{
	struct estimate *estimate = fresh();
	for (int i = 0; i < 4; i++) {
		CHECK(estimate_wants_sample(estimate));
		estimate_learn(estimate, 2 * MS);
		estimate_charge(estimate);
	}
	CHECK(!estimate_wants_sample(estimate));
}

static void then_one_in_some_is(void)
{
	struct estimate *estimate = fresh();
	int wanted = 0;
	for (int i = 0; i < 4; i++)
		estimate_learn(estimate, 2 * MS);
	for (int i = 0; i < 1600; i++) {
		wanted += estimate_wants_sample(estimate);
		estimate_charge(estimate);
	}
	CHECK(wanted == 100);
}

static void a_neighbour_does_not_change_the_prediction(void)
{
	struct estimate *estimate = measured(2 * MS);
	for (int i = 0; i < 7; i++)
		CHECK(estimate_learn(estimate, 9 * MS) == MS); /* its own excess, half as much again at most */
	CHECK(estimate->ns == 2 * MS);
	CHECK(estimate_wants_sample(estimate));
}

static void a_kernel_that_became_longer_is_believed_after_eight(void)
{
	struct estimate *estimate = measured(2 * MS);
	for (int i = 0; i < ESTIMATE_WINDOW; i++)
		estimate_learn(estimate, 9 * MS);
	CHECK(estimate->ns == 9 * MS);
}

static void a_kernel_that_became_shorter_is_believed_at_once(void)
{
	struct estimate *estimate = measured(2 * MS);
	CHECK(estimate_learn(estimate, MS) == -MS);
	CHECK(estimate->ns == MS);
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
	estimate_learn(estimate, MS);
	CHECK(estimate_suffices(estimate, 8));
}

static void kinds_are_told_apart(void)
{
	struct estimate *one = estimate_of(77), *other = estimate_of(77 + 4096);
	estimate_learn(one, MS);
	estimate_learn(other, 2 * MS);
	CHECK(one != other && estimate_of(77) == one && estimate_of(77)->ns == MS && estimate_of(77 + 4096)->ns == 2 * MS);
	CHECK(estimate_of(0) != one);
}

static void a_full_table_gives_a_row_to_a_new_kind(void)
{
	for (uint64_t key = 1; key <= 20000; key++)
		estimate_learn(estimate_of(key), (int64_t)key);
	struct estimate *newest = estimate_of(50000);
	CHECK(newest->ns == 0 && newest->samples == 0);
	CHECK(estimate_learn(newest, MS) == 0 && estimate_of(50000)->ns == MS);
}

int main(void)
{
	an_unknown_kind_is_charged_when_it_has_been_measured();
	the_first_launches_of_a_kind_are_measured();
	then_one_in_some_is();
	a_neighbour_does_not_change_the_prediction();
	a_kernel_that_became_longer_is_believed_after_eight();
	a_kernel_that_became_shorter_is_believed_at_once();
	an_unknown_kind_gets_so_many_ahead_while_one_is_awaited();
	kinds_are_told_apart();
	a_full_table_gives_a_row_to_a_new_kind();
	return TEST_RESULT();
}
