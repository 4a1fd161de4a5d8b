/* Where there is no room for a region the program goes on, without memory of the slice. */
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

enum { REFUSED = 0, OPENED = 1, NOT_TRIED = 77 };

static const struct hetero_limits limits = {.any = true, .memory = {4096}};
static char path[64];

static int try_to_open(void)
{
	hetero_log_set_level(0);
	return hetero_region_open(path, &limits) ? OPENED : REFUSED;
}

/* A file system of its own, as small as `path` says. Where that is not permitted, nothing is tried. */
static int on_a_full_disk(void)
{
	char directory[] = "/tmp/hetero-test-room-XXXXXX";
	if (!mkdtemp(directory))
		return NOT_TRIED;
	int answer = NOT_TRIED;
	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", directory, "tmpfs", 0, "size=64k") == 0) {
		snprintf(path, sizeof path, "%s/region", directory);
		answer = try_to_open();
		umount(directory);
	}
	rmdir(directory);
	return answer;
}

static int under_a_file_size_limit(void)
{
	const struct rlimit limit = {4096, 4096};
	setrlimit(RLIMIT_FSIZE, &limit);
	int answer = try_to_open();
	unlink(path);
	return answer;
}

/* A file that was made long, and of which nothing is on the disk yet, gets its room before anybody stores into it. */
static int in_a_file_with_holes(void)
{
	struct stat found;
	FILE *file = fopen(path, "w");
	if (!file || ftruncate(fileno(file), sizeof(struct hetero_region)) < 0)
		return NOT_TRIED;
	fclose(file);
	int answer = try_to_open();
	bool whole = stat(path, &found) == 0 && found.st_blocks * 512 >= (blkcnt_t)sizeof(struct hetero_region);
	unlink(path);
	return answer == OPENED && whole ? OPENED : REFUSED;
}

/* The answer of a child; a signal that ended it is one that it must not get. */
static int answer_of(int (*attempt)(void))
{
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		_exit(attempt());
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(void)
{
	snprintf(path, sizeof path, "/tmp/hetero-test-room-%d", (int)getpid());
	CHECK(answer_of(under_a_file_size_limit) == REFUSED);
	CHECK(answer_of(in_a_file_with_holes) == OPENED);
	int disk = answer_of(on_a_full_disk);
	if (disk == NOT_TRIED)
		fprintf(stderr, "no file system may be mounted here: a full disk was not tried\n");
	else
		CHECK(disk == REFUSED);
	return checks_failed ? EXIT_FAILURE : disk == NOT_TRIED ? NOT_TRIED : EXIT_SUCCESS;
}
