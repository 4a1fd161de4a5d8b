/*
 * What a shim may call. The runtime knows slices, devices by number, bytes and nanoseconds; it knows no driver.
 *
 * A shim describes its environment variables once, opens the slice on the first call that needs it, and then asks for
 * memory before the driver does and for time before a launch. Every function is safe from any thread; none ends the
 * process, changes its environment, mask, signals or standard output.
 */
#ifndef HETERO_RUNTIME_H
#define HETERO_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "hetero/region.h"

/* The names under which people set limits for one kind of device; NULL where there is none. */
struct hetero_option_names {
	const char *memory;        /* a size for all devices; with _<i> for one, as all up to oversubscribe */
	const char *cores;         /* percent */
	const char *policy;        /* cap or conserve */
	const char *priority;      /* a number, 0 is served first */
	const char *oversubscribe; /* yes or no */
	const char *compute;       /* default or force: compute is limited; disable: it is not */
	const char *region;        /* path of the region's file */
	const char *log;           /* 0 silent, 1 errors (default), 2 warnings, 3 information, 4 everything */
};

/* Unless somebody says otherwise: those who ask to be served first with 0 then are. */
#define HETERO_PRIORITY 1u

struct hetero_limits {
	char region[4096];   /* empty: none given */
	bool any;            /* a limit or a region is given: there is a slice */
	bool said;           /* about memory or compute something is said, be it that there is no limit */
	bool malformed;      /* what limits memory cannot be read: memory fails closed */
	bool from_file;      /* the limits file says it, and not the environment */
	char slice_id[64];
	uint64_t memory[HETERO_DEVICES];   /* bytes; 0: no limit */
	uint32_t cores[HETERO_DEVICES];    /* percent; 0 or 100: no limit */
	uint32_t policy[HETERO_DEVICES];   /* enum hetero_policy */
	uint32_t priority[HETERO_DEVICES];
	uint32_t flags[HETERO_DEVICES];    /* enum hetero_device_flags */
	char uuid[HETERO_DEVICES][64];     /* empty: the device of this position */
};

/*
 * What this process is to keep to: the limits file /etc/hetero/limits where there is one, else the environment.
 * Malformed values are reported in one line each.
 */
void hetero_options_read(const struct hetero_option_names *names, struct hetero_limits *limits);

/*
 * The limits file at `path`, which must be a regular file of `owner` that neither group nor others may write. False
 * when there is none; one that is refused is `malformed`, with a line in the log.
 */
bool hetero_limits_read(const char *path, uint32_t owner, struct hetero_limits *limits);

/* "1.5g" -> bytes. False when it is no size. 0 is a size: no limit. */
bool hetero_parse_size(const char *text, uint64_t *bytes);

/* "30" or "30%" -> percent, 0 to 100. */
bool hetero_parse_percent(const char *text, uint32_t *percent);

/* Which limits of a device to change while its slice runs, and to what. */
enum hetero_limit_kinds {
	HETERO_LIMIT_MEMORY = 1u,
	HETERO_LIMIT_CORES = 2u,
	HETERO_LIMIT_POLICY = 4u,
	HETERO_LIMIT_PRIORITY = 8u,
	HETERO_LIMIT_LENT = 16u,
	HETERO_LIMIT_YIELD = 32u,
};
struct hetero_new_limits {
	unsigned kinds;         /* of enum hetero_limit_kinds, together */
	uint64_t memory;        /* bytes; below what is held it takes nothing away, and growth is refused */
	uint32_t cores;         /* percent */
	uint32_t policy;        /* enum hetero_policy */
	uint32_t priority;
	uint32_t lent_percent;  /* on top of cores... */
	uint64_t lent_until_ns; /* ...until this CLOCK_MONOTONIC */
	uint32_t yield_percent; /* no more than this, whatever else is said; 0 and 100: as is said... */
	uint64_t yield_until_ns;
};

/* False when the region's lock cannot be had or there is no such device. */
bool hetero_limits_change(struct hetero_region *region, unsigned device, const struct hetero_new_limits *limits);

enum hetero_log_level { HETERO_ERROR = 1, HETERO_WARNING = 2, HETERO_INFO = 3, HETERO_DEBUG = 4 };

void hetero_log_set_level(int level);
void hetero_log(enum hetero_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Maps the region at `path`, or creates it with `limits` when it does not exist (an empty path: a place of the
 * user's own, shared by all processes with the same limits). NULL on failure, with one line in the log.
 */
struct hetero_region *hetero_region_open(const char *path, const struct hetero_limits *limits);

/*
 * The region's lock. It frees itself when its holder dies, and what that left half done is done by the next sweep.
 * False, after 10 s and with a line in the log, when it cannot be had.
 */
bool hetero_region_lock(struct hetero_region *region);
void hetero_region_unlock(struct hetero_region *region);

/*
 * This process' slot, taken on the first call of a process (a forked child takes its own). NULL when all slots
 * belong to living processes.
 */
struct hetero_region_slot *hetero_slot_join(struct hetero_region *region);

/* With the lock held: frees the slots of dead processes and gives back what they held. Returns how many. */
unsigned hetero_slots_sweep(struct hetero_region *region);

/* Reserves bytes of a device, before the driver is asked. False when the limit would be exceeded. */
bool hetero_memory_reserve(struct hetero_region *region, unsigned device, uint64_t bytes);

/* The driver itself had no memory for what was reserved. */
void hetero_memory_exhausted(struct hetero_region *region, unsigned device);

/* Gives back what was reserved by this process. */
void hetero_memory_release(struct hetero_region *region, unsigned device, uint64_t bytes);

/* What of the bytes held is not the program's own data. */
enum hetero_memory_kind { HETERO_MEMORY_CONTEXT, HETERO_MEMORY_MODULE };

/* Tells that so many more bytes (negative: fewer) of what this process has reserved are of a kind. */
void hetero_memory_tell(struct hetero_region *region, unsigned device, enum hetero_memory_kind kind, int64_t bytes);

/* Bytes that the process in a slot holds of a device. */
uint64_t hetero_ledger_held(const struct hetero_region *region, unsigned slot, unsigned device);

/* Bytes that the slice holds of a device. What dead processes held is no longer among it a few milliseconds later. */
uint64_t hetero_memory_used(struct hetero_region *region, unsigned device);

/* Processes that have a slot, at least 1: the dead count until they are looked for. */
unsigned hetero_slots_taken(const struct hetero_region *region);

/* Percent of the device's time to which the slice is held now, with what it is lent and yields; 0 without a limit. */
uint32_t hetero_pacer_limit(const struct hetero_region *region, unsigned device);

/* The slice runs something on the device, or is about to. */
void hetero_pacer_wanted(struct hetero_region *region, unsigned device);

/*
 * Device time in ns that this process has drawn from the slice's budget and not used. A launch's time is taken from it; below 0
 * is owed. The place is the process' own: a forked child asks again.
 */
_Atomic int64_t *hetero_pacer_drawn(struct hetero_region *region, unsigned device);

/*
 * Draws until `need_ns` are there. Waits while the budget is overdrawn, `patience_ns` at most; then what is drawn becomes
 * debt. Never call it with a lock held or while a stream is captured.
 */
void hetero_pacer_draw(struct hetero_region *region, unsigned device, int64_t need_ns, int64_t patience_ns);

/* Device time, as predicted, that this process' launches were charged since it started. */
int64_t hetero_pacer_used(struct hetero_region *region, unsigned device);

/* When the process ends in order: what it did not use goes back, what it owes is paid. */
void hetero_pacer_leave(struct hetero_region *region, unsigned device);

/* When the limit is lifted while the process runs: what it did not use goes back, what it owes is forgiven. */
void hetero_pacer_lift(struct hetero_region *region, unsigned device);

/* Counts what ran without being drawn: device time, and launches. */
void hetero_pacer_count(struct hetero_region *region, unsigned device, int64_t busy_ns, uint64_t launches);

/* What this process' predictions come to: ns of device time for each ns predicted, 0.1 to 4; 1 until it is set. */
void hetero_pacer_rate(unsigned device, double rate);

/*
 * How large a part of the device this process' kernels can use at once, 1 to 100 percent: so much of their time is
 * charged. A process that is confined to 30 percent of the device and uses them all the time has used 30 percent of it.
 */
void hetero_pacer_part(unsigned device, uint32_t percent);

uint64_t hetero_monotonic_ns(void);

#endif
