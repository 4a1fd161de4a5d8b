/* Faults on demand: the call that the file names fails, stalls or is the last of its process. */
#include <time.h>

#include "check.h"

static void write_faults(const char *text)
{
	char path[96], fresh[100];
	snprintf(path, sizeof path, "%s/faults", machine_directory);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	FILE *file = fopen(fresh, "w");
	EXPECT(true, file != NULL);
	EXPECT(true, fputs(text, file) >= 0);
	OK(fclose(file));
	OK(rename(fresh, path));
}

static void remove_faults(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/faults", machine_directory);
	unlink(path);
}

static CUresult allocate(void)
{
	CUdeviceptr pointer;
	return cuMemAlloc_v2(&pointer, 1 * MIB);
}

static void the_nth_call_fails(void)
{
	write_faults("# the second\ncuMemAlloc_v2 2 fail 2\n\n");
	use_card(0);
	OK(allocate());
	uint64_t before = free_mib();
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, allocate());
	EXPECT(before, free_mib());
	OK(allocate());
}

static void every_call_fails(void)
{
	write_faults("cuMemAlloc_v2 * fail 999\n");
	use_card(0);
	for (int i = 0; i < 3; i++)
		EXPECT(CUDA_ERROR_UNKNOWN, allocate());
}

static void the_first_line_that_fits_counts(void)
{
	write_faults("cuMemAlloc_v2 2 fail 2\ncuMemAlloc_v2 * fail 999\ncuMemFree_v2 1 fail 1\n");
	use_card(0);
	EXPECT(CUDA_ERROR_UNKNOWN, allocate());
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, allocate());
	EXPECT(CUDA_ERROR_UNKNOWN, allocate());
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(0));
	OK(cuMemFree_v2(0));
}

static void a_changed_file_is_read_anew(void)
{
	write_faults("");
	use_card(0);
	OK(allocate());
	write_faults("cuMemAlloc_v2 1 fail 2\n");
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, allocate());
	OK(allocate());
	write_faults("cuMemAlloc_v2 1 fail 1\n");
	EXPECT(CUDA_ERROR_INVALID_VALUE, allocate());
	remove_faults();
	OK(allocate());
}

static void without_a_file_nothing_is_looked_for_again(void)
{
	remove_faults();
	use_card(0);
	write_faults("cuMemAlloc_v2 * fail 2\n");
	OK(allocate());
}

static void allocate_in_child(void)
{
	use_card(0);
	OK(allocate());
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, allocate());
}

static void each_process_counts_for_itself(void)
{
	write_faults("cuMemAlloc_v2 2 fail 2\n");
	int count;
	OK(cuDriverGetVersion(&count)); /* this process has read the file, and its children have a copy */
	in_child(allocate_in_child);
	in_child(allocate_in_child);
}

static void management_calls_fail_too(void)
{
	unsigned count;
	write_faults("nvmlDeviceGetCount_v2 1 fail 15\nnvmlInit_v2 1 fail 9\n");
	EXPECT(NVML_ERROR_DRIVER_NOT_LOADED, nvmlInit_v2());
	OK(nvmlInit_v2());
	EXPECT(NVML_ERROR_GPU_IS_LOST, nvmlDeviceGetCount_v2(&count));
	OK(nvmlDeviceGetCount_v2(&count));
}

static void management_calls_answer_nonsense(void)
{
	unsigned count = 0;
	char version[8];
	write_faults("nvmlDeviceGetCount_v2 1 garbage\nnvmlSystemGetDriverVersion * garbage\n");
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetCount_v2(&count));
	EXPECT(0xfefefefeu, count);
	OK(nvmlDeviceGetCount_v2(&count));
	EXPECT(1, count);
	EXPECT(NVML_ERROR_INSUFFICIENT_SIZE, nvmlSystemGetDriverVersion(version, sizeof version));
	EXPECT(0xfe, (unsigned char)version[sizeof version - 1]);
}

static void one_line_can_be_about_all_calls(void)
{
	unsigned count;
	write_faults("* 2 fail 15\n");
	OK(nvmlInit_v2());
	EXPECT(NVML_ERROR_GPU_IS_LOST, nvmlDeviceGetCount_v2(&count));
	OK(nvmlDeviceGetCount_v2(&count));
}

/* Hangs until it is killed, which its parent sees to. */
static void a_call_hangs_for_good(void)
{
	unsigned count;
	write_faults("nvmlDeviceGetCount_v2 1 hang\n");
	pid_t child = fork();
	EXPECT(true, child >= 0);
	if (!child) {
		signal(SIGALRM, SIG_DFL);
		alarm(1);
		OK(nvmlInit_v2());
		nvmlDeviceGetCount_v2(&count);
		_exit(0);
	}
	int status;
	EXPECT(child, waitpid(child, &status, 0));
	EXPECT(true, WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

static void the_first_call_of_all_fails(void)
{
	write_faults("cuInit 1 fail 802\n");
	EXPECT(CUDA_ERROR_SYSTEM_NOT_READY, cuInit(0));
	OK(cuInit(0));
}

/* A call is one call to the program, whatever the driver makes of it. */
static void calls_of_the_driver_to_itself_do_not_count(void)
{
	CUcontext context;
	CUevent event;
	write_faults("cuEventDestroy_v2 1 fail 1\n");
	context = use_card(0);
	EXPECT(true, context != NULL);
	OK(cuEventCreate(&event, 0));
	OK(cuEventDestroy(event)); /* the old form is made of the new one */
	OK(cuEventCreate(&event, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuEventDestroy_v2(event));
}

static void fails_by_its_address(void)
{
	CUresult (*by_address)(CUdeviceptr *, size_t);
	CUdeviceptr pointer;
	write_faults("cuMemAlloc_v2 1 fail 2\n");
	use_card(0);
	OK(cuGetProcAddress_v2("cuMemAlloc", (void **)&by_address, 12000, 0, NULL));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, by_address(&pointer, MIB));
}

static uint64_t milliseconds(void)
{
	struct timespec now;
	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void a_call_stalls_and_is_carried_out(void)
{
	write_faults("cuMemAlloc_v2 1 stall 50\n");
	use_card(0);
	uint64_t start = milliseconds(), before = free_mib();
	OK(allocate());
	EXPECT(true, milliseconds() - start >= 49);
	EXPECT(true, free_mib() < before);
}

static void allocate_until_death(void)
{
	use_card(0);
	for (int i = 0; i < 3; i++)
		OK(allocate());
}

static void expect_death(const char *text)
{
	int status;
	write_faults(text);
	pid_t child = start_child(allocate_until_death);
	EXPECT(child, waitpid(child, &status, 0));
	EXPECT(true, WIFSIGNALED(status));
	EXPECT(SIGKILL, WTERMSIG(status));
}

static void a_process_dies_at_a_call(void)
{
	expect_death("cuMemAlloc_v2 2 die\n");
	expect_death("cuMemAlloc_v2 2 die-after\n");
}

static void a_line_that_says_nothing_is_told_and_the_file_ignored(void)
{
	static const char *const wrong[] = {
		"cuMemAlloc_v2\n", "cuMemAlloc_v2 0 fail 2\n", "cuMemAlloc_v2 x fail 2\n", "cuMemAlloc_v2 1 fail\n",
		"cuMemAlloc_v2 1 explode\n", "cuMemAlloc_v2 1 die 3\n", "cuMemAlloc_v2 1 fail -2\n", "a 1 fail 2 b\n"};
	int ends[2], before = dup(STDERR_FILENO);
	write_faults("");
	use_card(0);
	OK(pipe(ends));
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char line[256] = "";
		dup2(ends[1], STDERR_FILENO);
		char text[128];
		snprintf(text, sizeof text, "cuMemAlloc_v2 * fail 2\n%s", wrong[i]);
		write_faults(text);
		CUresult result = allocate();
		dup2(before, STDERR_FILENO);
		EXPECT(true, read(ends[0], line, sizeof line - 1) > 0);
		EXPECT(true, strstr(line, "faults:2: ") != NULL);
		OK(result);
	}
}

int main(void)
{
	use_machine(CARD_A);
	in_child(the_nth_call_fails);
	in_child(every_call_fails);
	in_child(the_first_line_that_fits_counts);
	in_child(a_changed_file_is_read_anew);
	in_child(without_a_file_nothing_is_looked_for_again);
	in_child(each_process_counts_for_itself);
	in_child(management_calls_fail_too);
	in_child(management_calls_answer_nonsense);
	in_child(one_line_can_be_about_all_calls);
	a_call_hangs_for_good();
	in_child(the_first_call_of_all_fails);
	in_child(calls_of_the_driver_to_itself_do_not_count);
	in_child(fails_by_its_address);
	in_child(a_call_stalls_and_is_carried_out);
	a_process_dies_at_a_call();
	in_child(a_line_that_says_nothing_is_told_and_the_file_ignored);
	remove_faults();
	remove_machine();
	return 0;
}
