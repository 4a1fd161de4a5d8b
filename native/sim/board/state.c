/*
 * The state that all processes share.  The file is opened anew each time: a lock belongs to what was opened, and what
 * was opened before a fork belongs to both processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int held = -1; /* with the turn: the file, and what of it is mapped */
static void *mapped;
static size_t mapped_size;

/* Of the parent's lock the child knows nothing; that descriptor is closed at exec. */
static void begin_anew(void)
{
	pthread_mutex_init(&turn, NULL);
}

static __attribute__((constructor)) void survive_fork(void)
{
	pthread_atfork(NULL, NULL, begin_anew);
}

static int open_locked(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		return -1;
	while (flock(file, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(file);
			return -1;
		}
	return file;
}

static void *map(int file, size_t size)
{
	struct stat status;
	if (fstat(file, &status) != 0)
		return NULL;
	if ((size_t)status.st_size < size && ftruncate(file, (off_t)size) != 0)
		return NULL;
	void *state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	return state == MAP_FAILED ? NULL : state;
}

void *board_lock(struct board *board, size_t size)
{
	char path[4096];
	pthread_mutex_lock(&turn);
	held = open_locked(board_path(board, path, "state"));
	mapped = held < 0 ? NULL : map(held, size);
	mapped_size = size;
	if (mapped)
		return mapped;
	fprintf(stderr, "hetero-sim: %s: %s\n", path, strerror(errno));
	if (held >= 0)
		close(held);
	pthread_mutex_unlock(&turn);
	return NULL;
}

void board_unlock(struct board *board)
{
	(void)board;
	munmap(mapped, mapped_size);
	/* Not by closing alone: a child that another thread has just forked has the descriptor too. */
	flock(held, LOCK_UN);
	close(held);
	pthread_mutex_unlock(&turn);
}
