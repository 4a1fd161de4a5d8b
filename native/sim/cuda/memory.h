/* Allocations of this process: a tree of address ranges, and a list per context. */
#ifndef HETERO_SIM_CUDA_MEMORY_H
#define HETERO_SIM_CUDA_MEMORY_H

#include "driver.h"

enum memory_kind { PLAIN, MANAGED, ASYNC, HANDLE_MAPPING, HOST };

struct allocation {
	CUdeviceptr address;
	uint64_t bytes;      /* as asked for */
	uint64_t charged;    /* taken of the card; 0 for mappings and host memory */
	enum memory_kind kind;
	CUcontext context;
	uint32_t card;
	struct allocation *next, **link; /* in the context's list */
};

/*
 * Takes memory of the context's card and gives it an address.  `out` is not
 * touched on failure.
 */
CUresult memory_allocate(CUcontext context, uint64_t bytes, enum memory_kind kind, CUdeviceptr *out);

/* The allocation that the address lies in, NULL if none.  With the driver's lock held. */
struct allocation *memory_find(CUdeviceptr address);

/* Frees the allocation that begins there; CUDA_ERROR_INVALID_VALUE if none does. */
CUresult memory_free(CUdeviceptr address);

/* A range of addresses without memory behind it, as wide as asked; never handed out twice. */
CUdeviceptr memory_reserve_addresses(uint64_t bytes, uint64_t alignment);

#endif
