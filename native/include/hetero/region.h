/*
 * The shared region of a slice: one file, mapped by every process of the slice, by the node's agent and by `hetero
 * top`. All fields are of fixed width and little endian; their places are pinned below and mirrored in
 * hetero/enforcement/layout.py.
 *
 * Version 1. Within a version fields may be added in reserved space, where 0 means "as before"; anything else is a new
 * version, and a reader refuses a version that it does not know.
 */
#ifndef HETERO_REGION_H
#define HETERO_REGION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HETERO_REGION_MAGIC 0x4E4F494745524854ull
#define HETERO_REGION_VERSION 1u
#define HETERO_DEVICES 16u
#define HETERO_SLOTS 1024u

enum hetero_region_state { HETERO_REGION_CREATING = 0, HETERO_REGION_READY = 1 };
enum hetero_region_flags { HETERO_REGION_LOCKS_READY = 1u };
enum hetero_slot_state { HETERO_SLOT_FREE = 0, HETERO_SLOT_TAKEN = 1 };

/* A robust, process-shared mutex in space that any C library's fits. */
union hetero_shared_mutex {
	pthread_mutex_t mutex;
	uint8_t space[64];
};

/* A device of the slice, in the order in which its programs see them. */
struct hetero_region_device {
	char uuid[64];                  /* as the driver spells it; empty: the device of this position */
	uint64_t memory_limit;          /* bytes; 0: no limit */
	uint32_t core_limit;            /* percent of the device's time; 0 or >= 100: no limit */
	uint32_t reserved;
	uint64_t physical_memory;       /* bytes; 0: unknown */
	uint8_t space0[40];
	_Atomic uint64_t memory_used;   /* bytes: the sum of all slots; changed under the region's lock */
	uint8_t space1[56];
	_Atomic int64_t budget_ns;      /* device time that may still be used; negative: overdrawn */
	_Atomic uint64_t refilled_ns;   /* CLOCK_MONOTONIC of the last refill */
	_Atomic uint64_t busy_ns;       /* device time charged since creation */
	_Atomic uint64_t throttled_ns;  /* time that programs were held back */
	_Atomic uint64_t launches;
	_Atomic uint64_t refused;       /* allocations refused */
	uint8_t space2[16];
};

/* A process of the slice. A slot never moves. */
struct hetero_region_slot {
	union hetero_shared_mutex alive; /* held by a thread of the process for as long as it lives */
	_Atomic uint32_t state;          /* enum hetero_slot_state */
	uint32_t pid;                    /* as the process sees itself */
	uint64_t start_ns;               /* CLOCK_REALTIME of joining */
	char name[32];                   /* the command, cut */
	uint8_t space0[16];
	_Atomic uint64_t used[HETERO_DEVICES];     /* bytes */
	_Atomic uint64_t inflight[HETERO_DEVICES]; /* reserved: always 0 in version 1 */
	_Atomic uint64_t busy_ns[HETERO_DEVICES];
};

struct hetero_region {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t size;                  /* bytes of the whole file */
	uint32_t device_count;
	uint32_t slot_capacity;
	_Atomic uint32_t state;         /* enum hetero_region_state; stored last */
	_Atomic uint32_t flags;         /* enum hetero_region_flags */
	uint64_t generation;
	uint64_t created_ns;            /* CLOCK_REALTIME */
	uint8_t space0[16];
	char slice_id[64];
	union hetero_shared_mutex lock; /* guards memory_used, used[] and the taking of slots */
	uint8_t space1[3904];
	struct hetero_region_device devices[HETERO_DEVICES];
	struct hetero_region_slot slots[HETERO_SLOTS];
};

#define HETERO_PIN(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #type "." #field)

HETERO_PIN(hetero_region, magic, 0);
HETERO_PIN(hetero_region, layout_version, 8);
HETERO_PIN(hetero_region, size, 12);
HETERO_PIN(hetero_region, device_count, 16);
HETERO_PIN(hetero_region, slot_capacity, 20);
HETERO_PIN(hetero_region, state, 24);
HETERO_PIN(hetero_region, flags, 28);
HETERO_PIN(hetero_region, generation, 32);
HETERO_PIN(hetero_region, created_ns, 40);
HETERO_PIN(hetero_region, slice_id, 64);
HETERO_PIN(hetero_region, lock, 128);
HETERO_PIN(hetero_region, devices, 4096);
HETERO_PIN(hetero_region, slots, 8192);
HETERO_PIN(hetero_region_device, uuid, 0);
HETERO_PIN(hetero_region_device, memory_limit, 64);
HETERO_PIN(hetero_region_device, core_limit, 72);
HETERO_PIN(hetero_region_device, physical_memory, 80);
HETERO_PIN(hetero_region_device, memory_used, 128);
HETERO_PIN(hetero_region_device, budget_ns, 192);
HETERO_PIN(hetero_region_device, refilled_ns, 200);
HETERO_PIN(hetero_region_device, busy_ns, 208);
HETERO_PIN(hetero_region_device, throttled_ns, 216);
HETERO_PIN(hetero_region_device, launches, 224);
HETERO_PIN(hetero_region_device, refused, 232);
HETERO_PIN(hetero_region_slot, alive, 0);
HETERO_PIN(hetero_region_slot, state, 64);
HETERO_PIN(hetero_region_slot, pid, 68);
HETERO_PIN(hetero_region_slot, start_ns, 72);
HETERO_PIN(hetero_region_slot, name, 80);
HETERO_PIN(hetero_region_slot, used, 128);
HETERO_PIN(hetero_region_slot, inflight, 256);
HETERO_PIN(hetero_region_slot, busy_ns, 384);
_Static_assert(sizeof(struct hetero_region_device) == 256, "device");
_Static_assert(sizeof(struct hetero_region_slot) == 512, "slot");
_Static_assert(sizeof(struct hetero_region) == 532480, "region");

#endif
