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


/* NULL where there are none: then it is not noticed when this thread dies, and others wait and fail closed. */
static struct robust_list_head *own_list(void)
{
	struct robust_list_head *list = NULL;
	size_t size;
	return syscall(SYS_get_robust_list, 0, &list, &size) == 0 ? list : NULL;
}

/* What a thread is about to take, has, or is about to give back: the kernel looks at it as at those in the list. */
static void announce(struct robust_list_head *list, const struct hetero_claim *lock)
{
	if (list && lock)
		list->list_op_pending = (struct robust_list *)((char *)(uintptr_t)&lock->word - list->futex_offset);
	else if (list)
		list->list_op_pending = NULL;
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

/*
 * Nothing is announced while a thread waits: the kernel knows holders by their number, and one in another namespace of
 * process ids may have the number of a waiter that is killed.
 */
static bool claim(struct hetero_claim *lock, struct robust_list_head *list, uint32_t word)
{
	uint32_t seen = atomic_load(&lock->word);
	while (ended(seen)) {
		announce(list, lock);
		if (atomic_compare_exchange_strong(&lock->word, &seen, word | (seen & FUTEX_WAITERS)))
			return true;
		announce(list, NULL);
	}
	return false;
}

/* Sleeps until the lock is given back, for a while at most. False when it was all of the while. */
static bool doze(struct hetero_claim *lock)
{
	const struct timespec moment = {.tv_nsec = HETERO_LOCK_WAIT_MS * 1000000};
	uint32_t seen = atomic_load(&lock->word);
	if (ended(seen))
		return true;
	if (!(seen & FUTEX_WAITERS) && !atomic_compare_exchange_strong(&lock->word, &seen, seen | FUTEX_WAITERS))
		return true;
	return syscall(SYS_futex, &lock->word, FUTEX_WAIT, seen | FUTEX_WAITERS, &moment, NULL, 0) == 0 ||
	       errno != ETIMEDOUT;
}

/* Who has waited leaves the flag standing, since others may be waiting still. */
static bool claim_in_time(struct hetero_claim *lock, int waits)
{
	struct robust_list_head *list = own_list();
	uint32_t thread = (uint32_t)syscall(SYS_gettid);
	for (uint32_t flag = 0; !claim(lock, list, thread | flag); flag = FUTEX_WAITERS)
		if (!waits || (!doze(lock) && !--waits))
			return false;
	return true;
}

bool hetero_region_lock(struct hetero_region *region)
{
	static _Atomic bool in_vain; /* once waited for to no end, it is not waited for again */
	bool before = atomic_load_explicit(&in_vain, memory_order_relaxed);
	int kept = errno;
	bool claimed = claim_in_time(&region->lock, before ? 0 : HETERO_LOCK_WAITS);
	errno = kept;
	atomic_store_explicit(&in_vain, !claimed, memory_order_relaxed);
	if (claimed)
		return true;
	if (!before)
		hetero_log(HETERO_ERROR, "the slice's lock is not given back; no memory is given; remove its region");
	return false;
}

void hetero_region_unlock(struct hetero_region *region)
{
	int kept = errno;
	if (atomic_exchange(&region->lock.word, 0) & FUTEX_WAITERS)
		syscall(SYS_futex, &region->lock.word, FUTEX_WAKE, 1, NULL, NULL, 0);
	announce(own_list(), NULL);
	errno = kept;
}
