/*
 * What was charged for which address, so that freeing gives back exactly that. Open addressing in shards with a lock each:
 * the cost does not grow with the number of live allocations, and threads rarely meet.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "memory.h"

#define SHARDS 32
#define FIRST_SIZE 64

struct shard {
	pthread_mutex_t lock;
	struct charge *rows; /* size is a power of two, at most half full; key 0 is an empty row */
	size_t size;
	_Atomic size_t count; /* written with the lock held */
};

static struct shard shards[CHARGE_KINDS][SHARDS];
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* A forked child has copies of its parent's locks in whatever state they were. It has none of its memory either. */
static void make_locks(void)
{
	for (size_t i = 0; i < CHARGE_KINDS * SHARDS; i++) {
		struct shard *shard = &shards[0][0] + i;
		pthread_mutex_init(&shard->lock, NULL);
		shard->rows = NULL;
		shard->size = 0;
		atomic_store_explicit(&shard->count, 0, memory_order_relaxed);
	}
}

static void in_child(void)
{
	make_locks();
	memory_in_child();
}

static void prepare(void)
{
	make_locks();
	pthread_atfork(NULL, NULL, in_child);
}

static uint64_t mix(uint64_t key)
{
	key *= 0x9E3779B97F4A7C15u;
	return key ^ key >> 32;
}

static struct shard *shard_of(enum charge_kind kind, uint64_t key)
{
	pthread_once(&prepared, prepare);
	return &shards[kind][mix(key) % SHARDS];
}

static struct charge *place_of(struct charge *rows, size_t size, uint64_t key)
{
	size_t i = (mix(key) / SHARDS) & (size - 1);
	while (rows[i].key && rows[i].key != key)
		i = (i + 1) & (size - 1);
	return &rows[i];
}

static size_t rows_in(const struct shard *shard)
{
	return atomic_load_explicit(&shard->count, memory_order_relaxed);
}

/* With the lock held, so that nobody else writes: a store is enough. */
static void add_rows(struct shard *shard, size_t more)
{
	atomic_store_explicit(&shard->count, rows_in(shard) + more, memory_order_relaxed);
}

static bool grow(struct shard *shard)
{
	size_t size = shard->size ? shard->size * 2 : FIRST_SIZE;
	struct charge *rows = calloc(size, sizeof *rows);
	if (!rows)
		return false;
	for (size_t i = 0; i < shard->size; i++)
		if (shard->rows[i].key)
			*place_of(rows, size, shard->rows[i].key) = shard->rows[i];
	free(shard->rows);
	shard->rows = rows;
	shard->size = size;
	return true;
}

static bool add(struct shard *shard, const struct charge *charge)
{
	if (rows_in(shard) * 2 >= shard->size && !grow(shard))
		return false;
	struct charge *row = place_of(shard->rows, shard->size, charge->key);
	add_rows(shard, !row->key);
	*row = *charge;
	return true;
}

static unsigned join(enum charge_kind kind, const struct charge *charge, bool may_be_first)
{
	struct shard *shard = shard_of(kind, charge->key);
	pthread_mutex_lock(&shard->lock);
	struct charge *row = shard->size ? place_of(shard->rows, shard->size, charge->key) : NULL;
	unsigned count = 0;
	if (row && row->key)
		count = ++row->count;
	else if (may_be_first && add(shard, charge))
		count = place_of(shard->rows, shard->size, charge->key)->count = 1;
	pthread_mutex_unlock(&shard->lock);
	return count;
}

unsigned charges_join(enum charge_kind kind, const struct charge *charge)
{
	return join(kind, charge, true);
}

bool charges_join_others(enum charge_kind kind, uint64_t key)
{
	struct charge charge = {.key = key};
	return join(kind, &charge, false) > 0;
}

bool charges_add(enum charge_kind kind, const struct charge *charge)
{
	struct shard *shard = shard_of(kind, charge->key);
	pthread_mutex_lock(&shard->lock);
	bool added = add(shard, charge);
	pthread_mutex_unlock(&shard->lock);
	return added;
}

/* Moves later rows of the run into the gap, so that no search stops early at it. */
static void close_gap(struct shard *shard, size_t gap)
{
	size_t mask = shard->size - 1;
	for (size_t i = (gap + 1) & mask; shard->rows[i].key; i = (i + 1) & mask) {
		size_t home = (mix(shard->rows[i].key) / SHARDS) & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		shard->rows[gap] = shard->rows[i];
		gap = i;
	}
	shard->rows[gap].key = 0;
}

static bool take(struct shard *shard, uint64_t key, struct charge *charge)
{
	if (!shard->size)
		return false;
	struct charge *row = place_of(shard->rows, shard->size, key);
	if (!row->key)
		return false;
	*charge = *row;
	close_gap(shard, (size_t)(row - shard->rows));
	add_rows(shard, (size_t)-1);
	return true;
}

/* Whoever frees an address has it from whoever remembered it, and so sees that row: an empty shard needs no lock. */
bool charges_take(enum charge_kind kind, uint64_t key, struct charge *charge)
{
	struct shard *shard = shard_of(kind, key);
	if (!key || !rows_in(shard))
		return false;
	pthread_mutex_lock(&shard->lock);
	bool taken = take(shard, key, charge);
	pthread_mutex_unlock(&shard->lock);
	return taken;
}

bool charges_leave(enum charge_kind kind, uint64_t key, struct charge *charge)
{
	struct shard *shard = shard_of(kind, key);
	pthread_mutex_lock(&shard->lock);
	struct charge *row = shard->size && key ? place_of(shard->rows, shard->size, key) : NULL;
	bool found = row && row->key;
	if (found) {
		row->count--;
		*charge = *row;
		if (!row->count)
			take(shard, key, charge);
	}
	pthread_mutex_unlock(&shard->lock);
	return found;
}

bool charges_find(enum charge_kind kind, uint64_t key, struct charge *charge)
{
	struct shard *shard = shard_of(kind, key);
	pthread_mutex_lock(&shard->lock);
	const struct charge *row = shard->size && key ? place_of(shard->rows, shard->size, key) : NULL;
	bool found = row && row->key;
	if (found)
		*charge = *row;
	pthread_mutex_unlock(&shard->lock);
	return found;
}

/* From place `*at` on; a place is looked at again after its row was taken out, since another moves into the gap. */
static bool take_next(struct shard *shard, size_t *at, const struct charges_choice *choice, struct charge *charge)
{
	for (; *at < shard->size; ++*at) {
		const struct charge *row = &shard->rows[*at];
		if (row->key && row->position == choice->position && (!choice->gone || choice->gone(row)))
			return take(shard, row->key, charge);
	}
	return false;
}

/* Without the lock while a charge is given back: that may take others. */
static void drop(struct shard *shard, const struct charges_choice *choice)
{
	struct charge charge;
	size_t at = 0;
	for (bool found = true; found;) {
		pthread_mutex_lock(&shard->lock);
		found = take_next(shard, &at, choice, &charge);
		pthread_mutex_unlock(&shard->lock);
		if (found)
			choice->give_back(&charge);
	}
}

void charges_drop(enum charge_kind kind, const struct charges_choice *choice)
{
	pthread_once(&prepared, prepare);
	for (size_t i = 0; i < SHARDS; i++)
		drop(&shards[kind][i], choice);
}
