/* Noticing that a file has changed. */
#ifndef HETERO_SIM_STAMP_H
#define HETERO_SIM_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Size and inode as well as the time: two changes may come within one tick of the file system's clock. */
struct sim_stamp {
	struct timespec modified;
	uint64_t inode, size; /* inode 0: there is no such file */
};

static inline struct sim_stamp sim_stamp_of(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return (struct sim_stamp){0};
	return (struct sim_stamp){
		.modified = status.st_mtim, .inode = status.st_ino, .size = (uint64_t)status.st_size};
}

static inline bool sim_stamp_same(const struct sim_stamp *a, const struct sim_stamp *b)
{
	return a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->inode == b->inode && a->size == b->size;
}

#endif
