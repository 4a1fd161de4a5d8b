/*
 * The simulated libcndev.so: what its parts share.
 *
 * Its machine is the directory that HETERO_SIM_CNDEV names; the keys of cards.conf are in the README of
 * vendors/cambricon.  Slices (sMLU) are kept in the state that all processes share.
 */
#ifndef HETERO_SIM_CNDEV_LIBRARY_H
#define HETERO_SIM_CNDEV_LIBRARY_H

#include "board.h"
#include "cndev_abi.h"

#define CARDS 64
#define PROFILES 128
#define INSTANCES 128

struct profile {
	uint32_t quota;   /* percent */
	uint64_t memory;  /* bytes */
	int32_t used;     /* written last: it counts from then on */
};

struct instance {
	int32_t profile;
	uint32_t quota;
	uint64_t memory;
	char name[100];
	int32_t used;
};

struct card_state {
	int32_t mode; /* of splitting: 0 as cards.conf says, 1 off, 2 on */
	struct profile profiles[PROFILES];
	struct instance instances[INSTANCES + 1]; /* by id, from 1 */
};

struct state {
	struct card_state cards[CARDS];
};

/* One call: the machine, and what is to go wrong. */
struct call {
	struct board *board;
	struct board_fault fault;
};

/* To be called first; what it returns other than success is the call's answer. */
cndevRet_t cndev_enter(struct call *call, const char *name);
/* The same for a call about a card, which may be gone. */
cndevRet_t cndev_enter_card(struct call *call, const char *name, cndevDevice_t device);
/* The same for one that fills a struct; `version` is NULL where the struct has none. */
cndevRet_t cndev_enter_query(struct call *call, const char *name, cndevDevice_t device, const void *out,
			     const int32_t *version);
/* To be called last: spoils the result, or dies, where that was asked for. */
cndevRet_t cndev_leave(const struct call *call, void *out, size_t size);

cndevRet_t cndev_check_version(const struct board *board, int32_t version);
struct state *cndev_lock(struct call *call);


#endif
