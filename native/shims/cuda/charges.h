/* What was charged for an address, a handle or an array (charges.c), so that freeing gives back exactly that. */
#ifndef HETERO_SHIM_CHARGES_H
#define HETERO_SHIM_CHARGES_H

#include <stdbool.h>
#include <stdint.h>

struct charge {
	uint64_t key;      /* address, handle or array; 0 is none */
	uint64_t bytes;    /* as reserved in the slice */
	unsigned position; /* of the device in the slice */
	unsigned count;    /* allocations that share it; of a large allocation, blocks that it may share */
	void *object;      /* what else belongs to it */
};

enum charge_kind {
	CHARGE_POINTER, /* an address of its own: object is the pool that it came from, or NULL */
	CHARGE_BLOCK,   /* block_key() of its addresses: a block that small allocations share */
	CHARGE_ARRAY,
	CHARGE_HANDLE,  /* object is the physical memory (virtual.c) */
	CHARGE_MAPPING, /* an address; object likewise, bytes its length */
	CHARGE_GRAPH,   /* an executable graph: object is what is known of it (graph.c); bytes are charged to the device */
	CHARGE_KINDS
};

/* Remembers a charge. False when there is no memory to remember it. */
bool charges_add(enum charge_kind kind, const struct charge *charge);

/* Forgets and returns a charge; false when there is none. */
bool charges_take(enum charge_kind kind, uint64_t key, struct charge *charge);

/* Looks a charge up and leaves it there. */
bool charges_find(enum charge_kind kind, uint64_t key, struct charge *charge);

/*
 * One more or one less of those that share a charge. Joining remembers it when nobody did before, and returns how many share it
 * then, 0 without memory. Leaving forgets it when nobody is left; false when there is none. It returns in `charge` what it
 * was, with the count of those that stay.
 */
unsigned charges_join(enum charge_kind kind, const struct charge *charge);
bool charges_join_others(enum charge_kind kind, uint64_t key); /* only where somebody did before */
bool charges_leave(enum charge_kind kind, uint64_t key, struct charge *charge);

/* Forgets those of a device that are gone, all without `gone`, and gives each of them back. */
struct charges_choice {
	unsigned position;
	bool (*gone)(const struct charge *); /* called with a lock held: it may change no charge */
	void (*give_back)(const struct charge *);
};
void charges_drop(enum charge_kind kind, const struct charges_choice *choice);

#endif
