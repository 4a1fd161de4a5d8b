/* Allocations of this process: a tree of address ranges, and a list per context. */
#ifndef HETERO_SIM_CUDA_MEMORY_H
#define HETERO_SIM_CUDA_MEMORY_H

#include "blocks.h"
#include "driver.h"

enum memory_kind { PLAIN, MANAGED, ASYNC, HANDLE_MAPPING, HOST, HOST_REGISTERED, OPENED, IMPORTED };

struct allocation {
	CUdeviceptr address;
	uint64_t bytes;      /* as asked for */
	uint64_t charged;    /* taken of the card for it alone; 0 for mappings, host memory, and what shares a block */
	enum memory_kind kind;
	CUcontext context;   /* NULL: it belongs to none */
	uint32_t card;
	struct block *block; /* the one it shares, else NULL */
	void *owner;         /* of an ASYNC one its pool, of a mapping its handle */
	struct allocation *next, **link; /* in the context's list */
};

/*
 * Takes memory of the context's card and gives it an address.  `out` is not
 * touched on failure.
 */
CUresult memory_allocate(CUcontext context, uint64_t bytes, enum memory_kind kind, CUdeviceptr *out);

/* Takes and gives a card's blocks of 2 MiB for what has no address: arrays. With the driver's lock held. */
bool memory_take_piece(struct blocks *shared, uint32_t card, uint64_t bytes, struct block **block, uint64_t *place);
void memory_give_piece(struct block *block, uint64_t place, uint32_t card, uint64_t bytes);

/* Notes an allocation whose memory somebody else has taken. With the driver's lock held; false without memory. */
bool memory_enter(const struct allocation *filled);

/* The allocation that the address lies in, NULL if none.  With the driver's lock held. */
struct allocation *memory_find(CUdeviceptr address);

/* Takes an allocation off tree and list and gives back what it took. With the driver's lock held. */
void memory_discard(struct allocation *allocation);

/* Frees the allocation that begins there; CUDA_ERROR_INVALID_VALUE if none does. */
CUresult memory_free(CUdeviceptr address);

/* A range of addresses without memory behind it, as wide as asked; never handed out twice. */
CUdeviceptr memory_reserve_addresses(uint64_t bytes, uint64_t alignment);

/* With the driver's lock held (array.c). */
void arrays_forget_context(CUcontext context);

/* Addresses of the calls before CUDA 3.2 become free again; others are none of its own (memory_old.c). */
void memory_forget_old(CUdeviceptr address, uint64_t bytes);

/* A freed piece of a pool; and what becomes free when the host waits for the card, or a context ends (pool.c). */
void pool_free(const struct allocation *allocation);
void pools_synchronized(CUdevice device);

/* A sparse array is gone, and with it what was mapped into it. With the driver's lock held (sparse.c). */
void virtual_forget_array(const void *array);

/* Physical memory that nothing refers to any more goes back to the card (virtual.c). */
void virtual_settle(void);

#endif
