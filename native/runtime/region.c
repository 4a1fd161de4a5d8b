/*
 * Opens the region of a slice: maps it when it is there, makes it when it is not. A file lock orders those who come at
 * the same time, so nobody sees half a region; a creator that dies leaves one that the next makes anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"
#include "reboot.h"
#include "slots.h"

static uint64_t realtime_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* FNV-1a: equal limits, equal name. It is no secret, the directory is what protects. */
static uint64_t fingerprint(const struct hetero_limits *limits)
{
	uint64_t hash = 0xcbf29ce484222325u;
	const unsigned char *bytes = (const unsigned char *)limits->memory;
	size_t size = sizeof *limits - offsetof(struct hetero_limits, memory);
	_Static_assert(sizeof *limits == offsetof(struct hetero_limits, uuid) + sizeof limits->uuid,
		       "from memory on there is one run of bytes, without a gap that may hold anything");
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

/* A directory that is ours alone: in /tmp somebody else may have been there first. */
static bool own_directory(const char *path)
{
	struct stat found;
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		hetero_log(HETERO_ERROR, "%s cannot be made: %s", path, strerror(errno));
		return false;
	}
	if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() && !(found.st_mode & 0077))
		return true;
	hetero_log(HETERO_ERROR, "%s must be a directory of this user with mode 0700; remove it", path);
	return false;
}

static bool default_path(const struct hetero_limits *limits, char *path, size_t size)
{
	char directory[64];
	snprintf(directory, sizeof directory, "/tmp/hetero-%u", (unsigned)geteuid());
	snprintf(path, size, "%s/%016llx.region", directory, (unsigned long long)fingerprint(limits));
	return own_directory(directory);
}

/*
 * For as long as for the region's own lock, and not without end: whoever has the file may have been stopped. Where files cannot
 * be locked, they are opened all the same.
 */
static bool lock_in_time(int file)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct timespec moment = {.tv_nsec = 1000000};
	int tries = HETERO_LOCK_WAITS * HETERO_LOCK_WAIT_MS;
	while (fcntl(file, F_OFD_SETLK, &whole) < 0 && (errno == EAGAIN || errno == EACCES || errno == EINTR)) {
		if (!tries--)
			return false;
		syscall(SYS_nanosleep, &moment, NULL);
	}
	return true;
}

static int open_locked(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file < 0 || lock_in_time(file))
		return file;
	close(file);
	errno = EBUSY;
	return -1;
}

/* Said aloud: the mapping keeps the open file, and would keep its lock with it, for as long as this process lives. */
static void close_unlocked(int file)
{
	struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	fcntl(file, F_OFD_SETLK, &whole);
	close(file);
}

static void refuse_version(const char *path, uint32_t version)
{
	hetero_log(HETERO_ERROR, "%s is a region of version %u, this library reads version %u; remove it", path,
		   version, HETERO_REGION_VERSION);
}

/* A file that is not as large as a region: one of another version, or somebody's. */
static void say_what_it_is(int file, const char *path)
{
	struct {
		uint64_t magic;
		uint32_t version;
	} start;
	if (pread(file, &start, sizeof start, 0) == sizeof start && start.magic == HETERO_REGION_MAGIC)
		refuse_version(path, start.version);
	else
		hetero_log(HETERO_ERROR, "%s is no region of this release; remove it", path);
}

/* For file systems that cannot be asked for room: a new file is written out. */
static bool write_zeros(int file)
{
	static const char zeros[4096];
	_Static_assert(sizeof(struct hetero_region) % sizeof zeros == 0, "whole pages");
	off_t at = 0;
	while (at < (off_t)sizeof(struct hetero_region) && pwrite(file, zeros, sizeof zeros, at) == sizeof zeros)
		at += sizeof zeros;
	if (at == sizeof(struct hetero_region))
		return true;
	int kept = errno;
	if (ftruncate(file, 0) == 0)
		errno = kept;
	return false;
}

/* A file that grows beyond what the process may write ends the process. */
static bool may_grow(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur >= sizeof(struct hetero_region))
		return true;
	errno = EFBIG;
	return false;
}

/* All of the file's room is taken before it is mapped: a store that finds none on the disk ends the process likewise. */
static bool make_room(int file, const struct stat *found)
{
	if (found->st_size && found->st_blocks * 512 >= found->st_size)
		return true;
	if (!found->st_size && !may_grow())
		return false;
	if (fallocate(file, 0, 0, sizeof(struct hetero_region)) == 0)
		return true;
	return (errno == EOPNOTSUPP || errno == ENOSYS) && (found->st_size || write_zeros(file));
}

static struct hetero_region *map(int file, const char *path)
{
	struct stat found;
	if (fstat(file, &found) < 0 || (found.st_size && found.st_size != (off_t)sizeof(struct hetero_region))) {
		say_what_it_is(file, path);
		return NULL;
	}
	void *memory = MAP_FAILED;
	if (make_room(file, &found))
		memory = mmap(NULL, sizeof(struct hetero_region), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		hetero_log(HETERO_ERROR, "%s cannot be made or mapped: %s; no memory is given", path, strerror(errno));
	return memory == MAP_FAILED ? NULL : memory;
}

static void fill(struct hetero_region *region, const struct hetero_limits *limits)
{
	memset(region, 0, sizeof *region);
	region->magic = HETERO_REGION_MAGIC;
	region->layout_version = HETERO_REGION_VERSION;
	region->size = sizeof *region;
	region->device_count = HETERO_DEVICES;
	region->slot_capacity = HETERO_SLOTS;
	region->created_ns = realtime_ns();
	atomic_store(&region->flags, limits->from_file ? 0 : HETERO_REGION_FROM_ENVIRONMENT);
	hetero_limits_fill(region, limits);
	atomic_store(&region->limits_changed, 0);
	atomic_store_explicit(&region->state, HETERO_REGION_READY, memory_order_release);
}

/* Somebody began to make it and died. What is neither empty nor ours is somebody's file, and is left as it is. */
static bool unfinished(const struct hetero_region *region)
{
	if (atomic_load_explicit(&region->state, memory_order_acquire) == HETERO_REGION_READY)
		return false;
	return !region->magic ||
	       (region->magic == HETERO_REGION_MAGIC && region->layout_version <= HETERO_REGION_VERSION);
}

static bool sound(const struct hetero_region *region, const char *path)
{
	if (region->magic == HETERO_REGION_MAGIC && region->layout_version == HETERO_REGION_VERSION &&
	    region->size == sizeof *region && region->device_count <= HETERO_DEVICES &&
	    region->slot_capacity == HETERO_SLOTS)
		return true;
	refuse_version(path, region->layout_version);
	return false;
}

static struct hetero_region *prepare(int file, const char *path, const struct hetero_limits *limits)
{
	struct hetero_region *region = map(file, path);
	if (!region)
		return NULL;
	if (unfinished(region))
		fill(region, limits);
	if (sound(region, path)) {
		hetero_reboot_settle(region);
		hetero_limits_renew(region, path, limits);
		return region;
	}
	munmap(region, sizeof *region);
	return NULL;
}

struct hetero_region *hetero_region_open(const char *path, const struct hetero_limits *limits)
{
	char own[128];
	if (!*path && !default_path(limits, own, sizeof own))
		return NULL;
	path = *path ? path : own;
	int file = open_locked(path);
	if (file < 0) {
		hetero_log(HETERO_ERROR, "%s cannot be opened: %s", path, strerror(errno));
		return NULL;
	}
	struct hetero_region *region = prepare(file, path, limits);
	close_unlocked(file);
	return region;
}
