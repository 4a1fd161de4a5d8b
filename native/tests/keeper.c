/* The thread that lives for as long as its process: where it is not to be had, and where a sandbox allows little. */
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hetero/runtime.h"
#include "testhelper.h"

#define LIMIT 4096u
#define SOMEBODY 54321 /* a user who has no processes */

static struct hetero_region *region;

/* A child has a region and no slot yet; its checks are its answer. */
static void in_child(void (*test)(void))
{
	pid_t child = fork();
	int status = -1;
	if (child == 0) {
		test();
		_exit(TEST_RESULT());
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void allow_threads(rlim_t count)
{
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
	limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

/* Threads of the user are counted by the kernel, except root's. */
static void memory_is_given_as_soon_as_a_thread_can_be_had(void)
{
	hetero_log_set_level(0);
	CHECK(geteuid() != 0 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0);
	allow_threads(1);
	CHECK(!hetero_memory_reserve(region, 0, LIMIT));
	CHECK(!hetero_memory_reserve(region, 0, LIMIT));
	allow_threads(RLIM_INFINITY);
	CHECK(hetero_memory_reserve(region, 0, LIMIT));
}

/* Calls that only wait, of which a program in a sandbox may need none. */
static bool forbid_idle_calls(void)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_pause
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pause, 1, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ppoll, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof text / sizeof *text, text};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static char state_of(const char *thread)
{
	char path[300], text[512] = "";
	snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
	FILE *file = fopen(path, "r");
	size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
	text[got] = '\0';
	if (file)
		fclose(file);
	const char *end = strrchr(text, ')');
	return end && end[1] ? end[2] : '?';
}

static char state_of_other_thread(void)
{
	char state = '?';
	DIR *threads = opendir("/proc/self/task");
	for (struct dirent *entry; threads && (entry = readdir(threads)) != NULL;)
		if (*entry->d_name != '.' && atoi(entry->d_name) != (int)syscall(SYS_gettid))
			state = state_of(entry->d_name);
	if (threads)
		closedir(threads);
	return state;
}

static void it_sleeps_where_idle_calls_are_forbidden(void)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	unsigned asleep = 0;
	if (!forbid_idle_calls()) {
		fprintf(stderr, "no filter of system calls here: this is not tested\n");
		return;
	}
	CHECK(hetero_memory_reserve(region, 0, LIMIT));
	for (int i = 0; i < 20; i++) {
		nanosleep(&moment, NULL);
		asleep += state_of_other_thread() == 'S';
	}
	CHECK(asleep >= 18);
}

int main(void)
{
	char path[64];
	const struct hetero_limits limits = {.any = true, .memory = {LIMIT}};
	snprintf(path, sizeof path, "/tmp/hetero-test-keeper-%d", (int)getpid());
	unlink(path);
	region = hetero_region_open(path, &limits);
	CHECK(region != NULL);
	if (region) {
		in_child(memory_is_given_as_soon_as_a_thread_can_be_had);
		in_child(it_sleeps_where_idle_calls_are_forbidden);
	}
	unlink(path);
	return TEST_RESULT();
}
