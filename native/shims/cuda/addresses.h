/* Which address is charged what (addresses.c). */
#ifndef HETERO_SHIM_ADDRESSES_H
#define HETERO_SHIM_ADDRESSES_H

#include "shim.h"

/*
 * Remembers memory that the driver has given, and brings what was reserved for it to what it takes of the device: its
 * blocks, less those that others were in already. False, and nothing is reserved any more, when that cannot be
 * remembered or is more than the slice has room for: then the memory has to be freed.
 */
bool addresses_add(CUdeviceptr pointer, uint64_t bytes, unsigned position, uint64_t reserved);

/* The same for a small allocation for which nothing was reserved: true when it came to lie with others. */
bool addresses_add_to_others(CUdeviceptr pointer);

/* An address that is about to be freed. */
struct freed {
	enum charge_kind kind;
	bool charged;
	struct charge charge;
};

/* Forgets an address before it is freed: once the driver has freed it, another thread may be given it. */
struct freed addresses_forget(CUdeviceptr pointer);

/* After the driver's answer, which it returns: gives back what was charged, or remembers it again. */
CUresult addresses_freed(CUresult result, const struct freed *freed);

/* Memory of contexts that have ended: all on the device, or what the driver knows no more. */
void addresses_drop(unsigned position, bool all);

#endif
