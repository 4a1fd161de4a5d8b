/*
 * Memory pools. A pool takes more of the device than was asked of it, and gives it back late, without a call that could
 * be seen. So what is charged for a pool is what the driver says it has reserved: room for the most that it can grow by
 * is taken before the driver is asked, and afterwards the charge is brought to the driver's figure.
 *
 * Source: an H100 (driver 580.159.04, 2026-11-27). The reserved figure is exactly what the device loses; it grows in
 * multiples of 32 MiB, and never by more than the allocation rounded up to them. Asking for it costs 27 ns. A pool that
 * was destroyed no longer answers, and what is freed in a stream that has other work first stays the device's loss until
 * then. So a pool that still has something is closed for the program, and destroyed when it has nothing any more.
 */
#include <pthread.h>
#include <stdlib.h>

#include "blocks.h"
#include "capture.h"
#include "memory.h"

#define CHUNK (32ull << 20)

struct pool {
	struct pool *next;
	CUmemoryPool handle;
	bool ours;       /* false: of host memory, or another process', which is charged for it */
	unsigned position;
	pthread_mutex_t lock; /* held over the driver's call: what a pool grew by is then whose call it was */
	uint64_t charged;
	uint64_t live;   /* bytes of pointers that are not freed */
	_Atomic bool destroyed; /* for the program */
	bool closing;           /* and for the driver not yet */
};

/* Pools stay in the list for ever, for others to walk it without its lock; one that has ended is used again. */
static struct pool *_Atomic pools;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

void pools_in_child(void)
{
	pools = NULL;
	pthread_mutex_init(&adding, NULL);
}

/* What the driver says, or UINT64_MAX. */
static uint64_t attribute(const struct pool *pool, CUmemPool_attribute which)
{
	uint64_t value = 0;
	return cuda_real()->cuMemPoolGetAttribute(pool->handle, which, &value) == CUDA_SUCCESS ? value : UINT64_MAX;
}

/* With the pool's lock held and nothing reserved beyond its charge. True when that made room. */
static bool settle(struct pool *pool)
{
	bool answers = pool->ours && (!pool->destroyed || pool->closing);
	uint64_t reserved = answers ? attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT) : UINT64_MAX;
	if (reserved >= pool->charged)
		return false;
	slice_release(pool->position, pool->charged - reserved);
	pool->charged = reserved;
	return true;
}

/* With the pool's lock held. Pointers that are not freed keep the record, and memory that is left keeps the pool. */
static bool close_further(struct pool *pool)
{
	cuda_real()->cuMemPoolTrimTo(pool->handle, 0);
	bool room = settle(pool);
	if (pool->live || pool->charged)
		return room;
	pool->closing = false;
	cuda_real()->cuMemPoolDestroy(pool->handle);
	return room;
}

bool pools_settle(unsigned position)
{
	bool room = false;
	for (struct pool *pool = pools; pool; pool = pool->next) {
		if (pool->position != position || pthread_mutex_trylock(&pool->lock) != 0)
			continue; /* whoever holds it settles it */
		room |= pool->closing ? close_further(pool) : pool->charged && settle(pool);
		pthread_mutex_unlock(&pool->lock);
	}
	return room;
}

static struct pool *known(CUmemoryPool handle)
{
	for (struct pool *pool = pools; pool; pool = pool->next)
		if (pool->handle == handle && !pool->destroyed)
			return pool;
	return NULL;
}

/* One that the program has destroyed and the driver has not. */
static bool is_closing(CUmemoryPool handle)
{
	for (struct pool *pool = pools; pool; pool = pool->next)
		if (pool->handle == handle && pool->closing)
			return true;
	return false;
}

static bool has_ended(const struct pool *pool)
{
	return pool->destroyed && !pool->closing && !pool->charged && !pool->live;
}

static struct pool *place(void)
{
	for (struct pool *pool = pools; pool; pool = pool->next)
		if (has_ended(pool))
			return pool;
	struct pool *made = calloc(1, sizeof *made);
	if (!made)
		return NULL;
	pthread_mutex_init(&made->lock, NULL);
	made->destroyed = true;
	made->next = pools;
	atomic_store(&pools, made);
	return made;
}

/* The pool's record, made when there is none. NULL without memory. */
static struct pool *note(CUmemoryPool handle, unsigned position, bool ours)
{
	pthread_mutex_lock(&adding);
	struct pool *pool = known(handle);
	if (!pool && (pool = place()) != NULL) {
		pool->handle = handle;
		pool->position = position;
		pool->ours = ours;
		pool->destroyed = false;
	}
	pthread_mutex_unlock(&adding);
	return pool;
}

/*
 * Room for what the pool will grow by at most; where that is too much, for what it must at least. False: for neither.
 */
static bool reserve_growth(struct pool *pool, uint64_t bytes, uint64_t *growth)
{
	*growth = block_round(bytes, CHUNK);
	if (room_reserve(pool->position, *growth))
		return true;
	settle(pool);
	uint64_t reserved = attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
	uint64_t used = attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT);
	uint64_t spare = reserved != UINT64_MAX && used < reserved ? reserved - used : 0;
	*growth = bytes > spare ? block_round(bytes - spare, CHUNK) : 0;
	return !*growth || slice_reserve(pool->position, *growth);
}

/* After the driver's call, whatever it answered. False when the pool grew by more than the slice has. */
static bool settle_growth(struct pool *pool, uint64_t growth, CUresult result)
{
	uint64_t held = pool->charged + growth, reserved = attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
	if (reserved == UINT64_MAX)
		reserved = result == CUDA_SUCCESS ? held : pool->charged; /* not known: the most that it can be */
	bool good = reserved <= held || slice_reserve(pool->position, reserved - held);
	if (reserved < held)
		slice_release(pool->position, held - reserved);
	pool->charged = good ? reserved : held;
	return good;
}

/* An allocation from a pool with its arguments, in one of its forms. */
struct request {
	CUresult (*call)(const struct request *, CUdeviceptr *);
	void *real;
	size_t bytes;
	CUmemoryPool pool;
	CUstream stream;
	bool per_thread;
};

static void undo(const struct request *request, CUdeviceptr pointer, struct pool *pool)
{
	const struct cuda_real *real = cuda_real();
	if (request->per_thread) {
		real->cuMemFreeAsync_ptsz(pointer, request->stream);
		real->cuStreamSynchronize_ptsz(request->stream);
	} else {
		real->cuMemFreeAsync(pointer, request->stream);
		real->cuStreamSynchronize(request->stream);
	}
	real->cuMemPoolTrimTo(pool->handle, pool->charged);
}

/* With the pool's lock held. */
static CUresult allocate(const struct request *request, CUdeviceptr *pointer, struct pool *pool)
{
	uint64_t growth;
	CUdeviceptr given = 0;
	if (!reserve_growth(pool, request->bytes, &growth))
		return CUDA_ERROR_OUT_OF_MEMORY;
	CUresult result = slice_answered(pool->position, request->call(request, &given));
	bool good = settle_growth(pool, growth, result);
	struct charge charge = {.key = given, .bytes = request->bytes, .position = pool->position, .object = pool};
	if (result != CUDA_SUCCESS)
		return result;
	if (!good || !charges_add(CHARGE_POINTER, &charge)) {
		undo(request, given, pool);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	__atomic_fetch_add(&pool->live, request->bytes, __ATOMIC_RELAXED);
	*pointer = given;
	return result;
}

/* The stream's device, which need not be the current one. */
static bool stream_device(const struct request *request, CUdevice *device)
{
	const struct cuda_real *real = cuda_real();
	CUresult (*context_of)(CUstream, CUcontext *) = request->per_thread ? real->cuStreamGetCtx_ptsz
									    : real->cuStreamGetCtx;
	CUcontext current, of_stream;
	if (!request->stream || real->cuCtxGetCurrent(&current) != CUDA_SUCCESS ||
	    context_of(request->stream, &of_stream) != CUDA_SUCCESS || of_stream == current)
		return real->cuCtxGetDevice(device) == CUDA_SUCCESS;
	if (real->cuCtxPushCurrent_v2(of_stream) != CUDA_SUCCESS)
		return false;
	bool known = real->cuCtxGetDevice(device) == CUDA_SUCCESS;
	real->cuCtxPopCurrent_v2(&of_stream);
	return known;
}

static struct pool *pool_of(const struct request *request)
{
	CUmemoryPool handle = request->pool;
	CUdevice device;
	struct pool *pool = handle ? known(handle) : NULL;
	if (pool)
		return pool;
	if (!stream_device(request, &device) ||
	    (!handle && cuda_real()->cuDeviceGetMemPool(&handle, device) != CUDA_SUCCESS))
		return NULL;
	uint64_t reserved;
	if (cuda_real()->cuMemPoolGetAttribute(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &reserved) != CUDA_SUCCESS)
		return NULL; /* no pool at all */
	return note(handle, slice_device(device), true);
}

static CUresult from_pool(const struct request *request, CUdeviceptr *pointer)
{
	if (!pointer || !request->bytes || capture_of(request->stream, request->per_thread))
		return request->call(request, pointer); /* captured: a node of a graph, which takes nothing now */
	if (request->pool && is_closing(request->pool))
		return CUDA_ERROR_INVALID_VALUE;
	struct pool *pool = pool_of(request);
	if (!pool || !pool->ours)
		return request->call(request, pointer);
	pthread_mutex_lock(&pool->lock);
	CUresult result = allocate(request, pointer, pool);
	pthread_mutex_unlock(&pool->lock);
	return result;
}

static CUresult call_async(const struct request *request, CUdeviceptr *pointer)
{
	CUresult (*real)(CUdeviceptr *, size_t, CUstream) = request->real;
	return real(pointer, request->bytes, request->stream);
}

CUresult hook_mem_alloc_async(CUresult (*real)(CUdeviceptr *, size_t, CUstream), CUdeviceptr *pointer, size_t bytes,
			      CUstream stream)
{
	struct request request = {call_async, (void *)real, bytes, NULL, stream, false};
	return from_pool(&request, pointer);
}

CUresult hook_mem_alloc_async_ptsz(CUresult (*real)(CUdeviceptr *, size_t, CUstream), CUdeviceptr *pointer,
				   size_t bytes, CUstream stream)
{
	struct request request = {call_async, (void *)real, bytes, NULL, stream, true};
	return from_pool(&request, pointer);
}

static CUresult call_from_pool(const struct request *request, CUdeviceptr *pointer)
{
	CUresult (*real)(CUdeviceptr *, size_t, CUmemoryPool, CUstream) = request->real;
	return real(pointer, request->bytes, request->pool, request->stream);
}

CUresult hook_mem_alloc_from_pool(CUresult (*real)(CUdeviceptr *, size_t, CUmemoryPool, CUstream),
				  CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	struct request request = {call_from_pool, (void *)real, bytes, pool, stream, false};
	return pool ? from_pool(&request, pointer) : real(pointer, bytes, pool, stream);
}

CUresult hook_mem_alloc_from_pool_ptsz(CUresult (*real)(CUdeviceptr *, size_t, CUmemoryPool, CUstream),
				       CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
	struct request request = {call_from_pool, (void *)real, bytes, pool, stream, true};
	return pool ? from_pool(&request, pointer) : real(pointer, bytes, pool, stream);
}

CUresult hook_mem_pool_create(CUresult (*real)(CUmemoryPool *, const CUmemPoolProps *), CUmemoryPool *pool,
			      const CUmemPoolProps *properties)
{
	CUresult result = real(pool, properties);
	bool ours = properties && properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
	if (result == CUDA_SUCCESS)
		note(*pool, ours ? slice_device(properties->location.id) : HETERO_DEVICES, ours);
	return result;
}

CUresult hook_mem_pool_import(CUresult (*real)(CUmemoryPool *, void *, CUmemAllocationHandleType, unsigned long long),
			      CUmemoryPool *pool, void *handle, CUmemAllocationHandleType type,
			      unsigned long long flags)
{
	CUresult result = real(pool, handle, type, flags);
	if (result == CUDA_SUCCESS)
		note(*pool, HETERO_DEVICES, false);
	return result;
}

/* What the driver does when it destroys a pool: nobody gets it unasked any more, and it keeps nothing that is free. */
static void close_pool(struct pool *pool)
{
	const struct cuda_real *real = cuda_real();
	CUmemoryPool now, first;
	int devices = 0;
	uint64_t nothing = 0;
	real->cuDeviceGetCount(&devices);
	for (CUdevice device = 0; device < devices; device++)
		if (real->cuDeviceGetMemPool(&now, device) == CUDA_SUCCESS && now == pool->handle &&
		    real->cuDeviceGetDefaultMemPool(&first, device) == CUDA_SUCCESS)
			real->cuDeviceSetMemPool(device, first);
	real->cuMemPoolSetAttribute(pool->handle, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &nothing);
	pool->closing = true;
}

static bool is_default(CUmemoryPool handle)
{
	CUmemoryPool first;
	int devices = 0;
	cuda_real()->cuDeviceGetCount(&devices);
	for (CUdevice device = 0; device < devices; device++)
		if (cuda_real()->cuDeviceGetDefaultMemPool(&first, device) == CUDA_SUCCESS && first == handle)
			return true;
	return false;
}

/* With the pool's lock held. True when it has nothing that is charged to this process. */
static bool is_empty(struct pool *pool)
{
	if (pool->ours && pool->charged) {
		cuda_real()->cuMemPoolTrimTo(pool->handle, 0);
		settle(pool);
	}
	return !pool->charged && !pool->live;
}

/* Marked before the driver is asked: from then on its handle may be another pool's. */
CUresult hook_mem_pool_destroy(CUresult (*real)(CUmemoryPool), CUmemoryPool handle)
{
	struct pool *pool = known(handle);
	CUresult result = CUDA_SUCCESS;
	if (!pool || is_default(handle))
		return is_closing(handle) ? CUDA_ERROR_INVALID_VALUE : real(handle);
	pthread_mutex_lock(&pool->lock);
	bool empty = is_empty(pool);
	pool->destroyed = true;
	if (empty)
		result = real(handle);
	else
		close_pool(pool);
	if (result != CUDA_SUCCESS)
		pool->destroyed = false;
	pthread_mutex_unlock(&pool->lock);
	return result;
}

CUresult hook_mem_pool_trim(CUresult (*real)(CUmemoryPool, size_t), CUmemoryPool handle, size_t keep)
{
	struct pool *pool = known(handle);
	if (!pool)
		return real(handle, keep);
	pthread_mutex_lock(&pool->lock);
	CUresult result = real(handle, keep);
	settle(pool);
	pthread_mutex_unlock(&pool->lock);
	return result;
}

void pool_pointer_freed(void *object, uint64_t bytes)
{
	struct pool *pool = object;
	__atomic_fetch_sub(&pool->live, bytes, __ATOMIC_RELAXED);
	if (!pool->destroyed)
		return;
	pthread_mutex_lock(&pool->lock);
	if (pool->closing)
		close_further(pool);
	pthread_mutex_unlock(&pool->lock);
}
