/* Physical memory and its handles, as virtual.c and sparse.c know them. With the driver's lock held. */
#ifndef HETERO_SIM_CUDA_VIRTUAL_H
#define HETERO_SIM_CUDA_VIRTUAL_H

#include "memory.h"

struct physical {
	struct physical *next;
	uint64_t number, bytes;
	uint32_t card, handles, mappings;
	bool foreign; /* another process', which pays for it */
	CUmemAllocationProp properties;
	int exported; /* the writing end of its pipe; -1: never exported */
};

struct handle {
	struct handle *next;
	CUmemGenericAllocationHandle number;
	struct physical *memory;
	unsigned references;
	unsigned mappings; /* made through it: the handle's number stays known as long as there are some */
};

/* NULL when no live handle has the number. */
struct handle *virtual_find(CUmemGenericAllocationHandle number);

/* One more or one less mapping through a handle; the last reference of any kind gives the memory back. */
void virtual_refer(struct handle *handle);
void virtual_let_go(struct handle *handle);

#endif
