/*
 * The region's lock: a robust futex of our own, for joining, sweeping and changes of limits; no allocation takes it.
 * While a thread holds it, the kernel knows by the thread's list of robust futexes, and frees it when the thread
 * dies. It needs no preparation, fits any C library, and damage in a region's file cannot make it hang for ever.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "slots.h"

/* Nobody holds it for more than moments. Who waits as long as this is in a region that somebody has damaged, or
 * beside a process that was stopped at the wrong moment. */
#define WAIT_MS 50
#ifndef HETERO_LOCK_WAITS
#define HETERO_LOCK_WAITS 200
#endif

/* The entry that a thread is about to take or give back: the kernel looks at it as at those in the list. */
static void announce(const _Atomic uint32_t *word)
{
	struct robust_list_head *list;
	size_t size;
	if (syscall(SYS_get_robust_list, 0, &list, &size) != 0 || !list)
		return; /* not noticed when this thread dies: others wait as long as they do, then fail closed */
	list->list_op_pending = word ? (struct robust_list *)((char *)(uintptr_t)word - list->futex_offset) : NULL;
	atomic_signal_fence(memory_order_seq_cst);
}

static bool ended(uint32_t word)
{
	return !(word & FUTEX_TID_MASK) || (word & FUTEX_OWNER_DIED);
}

bool hetero_claim_ended(const struct hetero_claim *claim)
{
	return ended(atomic_load_explicit(&claim->word, memory_order_acquire));
}

static bool claim(struct hetero_claim *lock, uint32_t thread)
{
	uint32_t seen = atomic_load(&lock->word);
	while (ended(seen))
		if (atomic_compare_exchange_weak(&lock->word, &seen, thread | (seen & FUTEX_WAITERS)))
			return true;
	return false;
}

/* Sleeps until the lock is given back, for a while at most. False when it was all of the while. */
static bool doze(struct hetero_claim *lock)
{
	const struct timespec moment = {.tv_nsec = WAIT_MS * 1000000};
	uint32_t seen = atomic_load(&lock->word);
	if (ended(seen))
		return true;
	if (!(seen & FUTEX_WAITERS) && !atomic_compare_exchange_strong(&lock->word, &seen, seen | FUTEX_WAITERS))
		return true;
	return syscall(SYS_futex, &lock->word, FUTEX_WAIT, seen | FUTEX_WAITERS, &moment, NULL, 0) == 0 ||
	       errno != ETIMEDOUT;
}

/* Who has waited leaves the flag standing, since others may be waiting still. */
static bool claim_in_time(struct hetero_claim *lock, uint32_t thread, int waits)
{
	for (uint32_t flag = 0; !claim(lock, thread | flag); flag = FUTEX_WAITERS)
		if (!waits || (!doze(lock) && !--waits))
			return false;
	return true;
}

bool hetero_region_lock(struct hetero_region *region)
{
	static _Atomic bool in_vain; /* once waited for to no end, it is not waited for again */
	bool before = atomic_load_explicit(&in_vain, memory_order_relaxed);
	int kept = errno;
	announce(&region->lock.word);
	bool claimed = claim_in_time(&region->lock, (uint32_t)syscall(SYS_gettid), before ? 0 : HETERO_LOCK_WAITS);
	errno = kept;
	atomic_store_explicit(&in_vain, !claimed, memory_order_relaxed);
	if (claimed)
		return true;
	announce(NULL);
	if (!before)
		hetero_log(HETERO_ERROR, "the slice's lock is not given back; no memory is given; remove its region");
	return false;
}

void hetero_region_unlock(struct hetero_region *region)
{
	int kept = errno;
	if (atomic_exchange(&region->lock.word, 0) & FUTEX_WAITERS)
		syscall(SYS_futex, &region->lock.word, FUTEX_WAKE, 1, NULL, NULL, 0);
	announce(NULL);
	errno = kept;
}
