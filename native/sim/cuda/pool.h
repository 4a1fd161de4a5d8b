/* The pools of this process (pool.c); the calls on them are in memory_async.c. All with the driver's lock held. */
#ifndef HETERO_SIM_CUDA_POOL_H
#define HETERO_SIM_CUDA_POOL_H

#include "memory.h"

#define POOL_CHUNK (32ull << 20) /* bytes that a pool takes of the card at a time */
#define POOL_RANGE (1ull << 40)  /* bytes of addresses of one pool */

CUresult pool_create(CUdevice device, uint64_t most, CUmemoryPool *out);
CUresult pool_destroy(CUmemoryPool pool);
CUmemoryPool pool_default(CUdevice device);
CUmemoryPool pool_current(CUdevice device);
CUresult pool_make_current(CUdevice device, CUmemoryPool pool);
CUresult pool_allocate(CUcontext context, CUmemoryPool pool, uint64_t bytes, CUdeviceptr *out);
CUresult pool_trim(CUmemoryPool pool, uint64_t keep);
CUresult pool_get(CUmemoryPool pool, CUmemPool_attribute attribute, uint64_t *value);
CUresult pool_set(CUmemoryPool pool, CUmemPool_attribute attribute, uint64_t value);

#endif
