/*
 * A region may lie on a disk and outlast the machine's crash. The kernel that would have marked the claims of its processes
 * is gone then, and with it all who could give anything back; and CLOCK_MONOTONIC begins anew. The first process that
 * opens the region under the next kernel marks them.
 *
 * A claim counts as one of an earlier kernel only if two things say so, since each may be wrong by itself: the kernel's
 * identity, which some makers of containers hide, and the time of joining, since a clock may be set.
 */
#include "reboot.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

/* random(4): a UUID that the kernel draws when it starts. */
#define IDENTITY "/proc/sys/kernel/random/boot_id"
/* The clock may be set a little after the start. */
#define SLACK_NS 2000000000u

uint64_t hetero_kernel(void)
{
	char text[36];
	uint64_t hash = 0xcbf29ce484222325u;
	int file = open(IDENTITY, O_RDONLY | O_CLOEXEC);
	ssize_t got = file >= 0 ? read(file, text, sizeof text) : 0;
	if (file >= 0)
		close(file);
	for (ssize_t i = 0; i < got; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return got == sizeof text ? hash | 1 : 0;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Marks those who joined before the kernel started. True when nobody is left. */
static bool mark_claims(struct hetero_region *region, uint64_t started)
{
	bool left = false;
	for (unsigned i = 0; i < HETERO_SLOTS; i++) {
		struct hetero_region_slot *slot = &region->slots[i];
		if (atomic_load(&slot->state) != HETERO_SLOT_TAKEN)
			continue;
		if (slot->start_ns < started)
			atomic_fetch_or(&slot->alive.word, FUTEX_OWNER_DIED);
		else
			left = true;
	}
	return !left;
}

static void forget_times(struct hetero_region_device *device)
{
	atomic_store(&device->refilled_ns, 0);
	atomic_store(&device->wanted_ns, 0);
	atomic_store(&device->lent_until_ns, 0);
	atomic_store(&device->yield_until_ns, 0);
}

void hetero_reboot_settle(struct hetero_region *region)
{
	uint64_t kernel = hetero_kernel(), known = atomic_load(&region->kernel);
	if (!kernel || kernel == known)
		return;
	uint64_t started = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME);
	if (known && mark_claims(region, started - SLACK_NS)) {
		atomic_fetch_or(&region->lock.word, FUTEX_OWNER_DIED);
		for (unsigned device = 0; device < HETERO_DEVICES; device++)
			forget_times(&region->devices[device]);
	}
	atomic_store(&region->kernel, kernel);
}
