/*
 * The shared region of a slice: one file, mapped by every process of the slice, by the node's agent and by `hetero
 * top`. All fields are of fixed width and little endian; their places are pinned below and mirrored in
 * hetero/enforcement/layout.py.
 *
 * Version 2. Within a version fields may be added in reserved space, where 0 means "as before"; anything else is a new
 * version, and a reader refuses a version that it does not know.
 *
 * What several processes write together stands in a cache line of its own, apart from what all of them only read.
 */
#ifndef HETERO_REGION_H
#define HETERO_REGION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HETERO_REGION_MAGIC 0x4E4F494745524854ull
#define HETERO_REGION_VERSION 2u
#define HETERO_DEVICES 16u
#define HETERO_SLOTS 1024u

enum hetero_region_state { HETERO_REGION_CREATING = 0, HETERO_REGION_READY = 1 };
enum hetero_region_flags {
	HETERO_REGION_FROM_ENVIRONMENT = 2u, /* the limits are those of the first process' environment: when nobody
					      * lives any more, the next one's take their place */
};
enum hetero_slot_state { HETERO_SLOT_FREE = 0, HETERO_SLOT_TAKEN = 1 };
enum hetero_device_flags { HETERO_DEVICE_OVERSUBSCRIBE = 1u }; /* memory beyond the card's goes to the host */
enum hetero_policy {
	HETERO_POLICY_CAP = 0,     /* never more than core_limit */
	HETERO_POLICY_CONSERVE = 1 /* core_limit is assured; lent_percent comes on top while others leave it idle */
};

/*
 * A thread's claim to something, as the kernel's robust futexes have it: the thread's id, and two flags. The kernel
 * sets one of them when the thread ends, however it ends. All zero is free; no C library's own types stand in a
 * region.
 */
struct hetero_claim {
	_Atomic uint32_t word; /* see linux/futex.h: FUTEX_TID_MASK, FUTEX_OWNER_DIED, FUTEX_WAITERS */
	uint8_t space[60];
};

/*
 * Bytes of a device that the slice holds, and who changed them last: 16 bytes that are exchanged as one. How the two
 * keep the sum right when a process dies at any instruction is told in runtime/ledger.c.
 */
struct hetero_ledger_sum {
	_Alignas(16) _Atomic uint64_t bytes;
	_Atomic uint64_t last; /* slot << 48 | number of the change within the slot; 0: nobody yet */
};

/* What one process holds of a device: bytes after its last change and after the one before or to come. */
struct hetero_ledger_entry {
	uint8_t space0[16];
	_Atomic uint64_t after[2]; /* bytes held after the change n, once it has taken effect, at n % 2; n begins with 1 */
	_Atomic uint64_t done;     /* the highest n that has certainly taken effect; see also hetero_ledger_sum.last */
	uint8_t space1[24];
};

/* A device of the slice, in the order in which its programs see them. */
struct hetero_region_device {
	char uuid[64];                    /* as the driver spells it; empty: the device of this position */
	_Atomic uint64_t memory_limit;    /* bytes; 0: no limit */
	_Atomic uint32_t core_limit;      /* percent of the device's time; 0 or >= 100: no limit */
	_Atomic uint32_t policy;          /* enum hetero_policy */
	uint64_t physical_memory;         /* bytes; 0: unknown */
	uint32_t flags;                   /* enum hetero_device_flags */
	_Atomic uint32_t priority;        /* 0 is served first; among slices of one device, by whoever lends */
	uint8_t space0[32];
	struct hetero_ledger_sum memory;  /* offset 128 */
	_Atomic uint64_t refused;         /* allocations refused */
	_Atomic uint64_t exhausted;       /* allocations that the driver had no memory for, though the limit left room */
	uint8_t space1[96];
	_Atomic int64_t budget_ns;        /* offset 256: device time that may still be drawn; negative: overdrawn */
	_Atomic uint64_t refilled_ns;     /* CLOCK_MONOTONIC of the last refill */
	uint8_t space2[48];
	_Atomic uint64_t busy_ns;         /* offset 320: device time charged since creation */
	_Atomic uint64_t throttled_ns;    /* time that programs were held back */
	_Atomic uint64_t launches;
	_Atomic uint64_t unmeasured;      /* launches let through although their time could not be measured */
	_Atomic uint64_t wanted_ns;       /* CLOCK_MONOTONIC of the last launch, held back or not: the slice is not idle */
	uint8_t space3[24];
	_Atomic uint64_t lent_until_ns;   /* offset 384: CLOCK_MONOTONIC until which lent_percent holds */
	_Atomic uint32_t lent_percent;    /* on top of core_limit, by whoever sees all slices of the device */
	_Atomic uint32_t yield_percent;   /* 1 to 99: no more than this, whatever else is said; by whoever lends... */
	_Atomic uint64_t yield_until_ns;  /* ...and until this CLOCK_MONOTONIC: it ends by itself */
	uint8_t space4[104];
};

/* A process of the slice. A slot never moves. */
struct hetero_region_slot {
	struct hetero_claim alive;        /* of a thread that lives for as long as the process */
	_Atomic uint32_t state;           /* enum hetero_slot_state */
	uint32_t pid;                     /* as the process sees itself */
	uint64_t start_ns;                /* CLOCK_REALTIME of joining */
	char name[32];                    /* the command, cut */
	uint32_t host_pid;                /* as the machine sees it; 0: not known */
	uint8_t space0[12];
	struct hetero_ledger_entry memory[HETERO_DEVICES]; /* offset 128 */
	_Atomic uint64_t busy_ns[HETERO_DEVICES];          /* offset 1152 */
	_Atomic int64_t drawn_ns[HETERO_DEVICES];          /* drawn from budget_ns, not used yet; goes back at death */
	_Atomic uint64_t launches[HETERO_DEVICES];
	_Atomic uint64_t context_bytes[HETERO_DEVICES];    /* offset 1536: of what the process holds, by contexts... */
	_Atomic uint64_t module_bytes[HETERO_DEVICES];     /* ...and by loaded code; the rest is the program's data */
	uint8_t space1[256];
};

struct hetero_region {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t size;                    /* bytes of the whole file */
	uint32_t device_count;
	uint32_t slot_capacity;
	_Atomic uint32_t state;           /* enum hetero_region_state; stored last */
	_Atomic uint32_t flags;           /* enum hetero_region_flags */
	_Atomic uint64_t kernel;          /* under which start of the machine it was last opened; 0: not known (reboot.c) */
	uint64_t created_ns;              /* CLOCK_REALTIME */
	_Atomic uint32_t limits_changed;  /* counted up after a change of a limit, policy, loan or yield */
	_Atomic uint32_t slots_used;      /* no slot from here on was ever taken */
	uint8_t space0[8];
	char slice_id[64];
	struct hetero_claim lock;         /* offset 128: for the taking and freeing of slots, and changes of limits */
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
HETERO_PIN(hetero_region, kernel, 32);
HETERO_PIN(hetero_region, created_ns, 40);
HETERO_PIN(hetero_region, limits_changed, 48);
HETERO_PIN(hetero_region, slots_used, 52);
HETERO_PIN(hetero_region, slice_id, 64);
HETERO_PIN(hetero_region, lock, 128);
HETERO_PIN(hetero_region, devices, 4096);
HETERO_PIN(hetero_region, slots, 12288);
HETERO_PIN(hetero_region_device, uuid, 0);
HETERO_PIN(hetero_region_device, memory_limit, 64);
HETERO_PIN(hetero_region_device, core_limit, 72);
HETERO_PIN(hetero_region_device, policy, 76);
HETERO_PIN(hetero_region_device, physical_memory, 80);
HETERO_PIN(hetero_region_device, flags, 88);
HETERO_PIN(hetero_region_device, priority, 92);
HETERO_PIN(hetero_region_device, memory, 128);
HETERO_PIN(hetero_region_device, refused, 144);
HETERO_PIN(hetero_region_device, exhausted, 152);
HETERO_PIN(hetero_region_device, budget_ns, 256);
HETERO_PIN(hetero_region_device, refilled_ns, 264);
HETERO_PIN(hetero_region_device, busy_ns, 320);
HETERO_PIN(hetero_region_device, throttled_ns, 328);
HETERO_PIN(hetero_region_device, launches, 336);
HETERO_PIN(hetero_region_device, unmeasured, 344);
HETERO_PIN(hetero_region_device, wanted_ns, 352);
HETERO_PIN(hetero_region_device, lent_until_ns, 384);
HETERO_PIN(hetero_region_device, lent_percent, 392);
HETERO_PIN(hetero_region_device, yield_percent, 396);
HETERO_PIN(hetero_region_device, yield_until_ns, 400);
HETERO_PIN(hetero_region_slot, alive, 0);
HETERO_PIN(hetero_region_slot, state, 64);
HETERO_PIN(hetero_region_slot, pid, 68);
HETERO_PIN(hetero_region_slot, start_ns, 72);
HETERO_PIN(hetero_region_slot, name, 80);
HETERO_PIN(hetero_region_slot, host_pid, 112);
HETERO_PIN(hetero_region_slot, memory, 128);
HETERO_PIN(hetero_region_slot, busy_ns, 1152);
HETERO_PIN(hetero_region_slot, drawn_ns, 1280);
HETERO_PIN(hetero_region_slot, launches, 1408);
HETERO_PIN(hetero_region_slot, context_bytes, 1536);
HETERO_PIN(hetero_region_slot, module_bytes, 1664);
_Static_assert(sizeof(struct hetero_ledger_entry) == 64, "ledger entry");
_Static_assert(sizeof(struct hetero_region_device) == 512, "device");
_Static_assert(sizeof(struct hetero_region_slot) == 2048, "slot");
_Static_assert(sizeof(struct hetero_region) == 2109440, "region");

#endif
