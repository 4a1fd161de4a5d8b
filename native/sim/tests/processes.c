/* Several processes on one machine: they see each other's use, and the dead give theirs back. */
#include "check.h"

static struct steps steps;

static void hold_300(void)
{
	CUdeviceptr pointer;
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 300 * MIB));
	tell(steps.to_parent);
	await(steps.to_child);
}

static pid_t start_holder(void)
{
	make_steps(&steps);
	pid_t child = start_child(hold_300);
	await(steps.to_parent);
	return child;
}

static nvmlDevice_t managed_card(void)
{
	nvmlDevice_t device;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
	return device;
}

static uint64_t used_mib(nvmlDevice_t device)
{
	nvmlMemory_t memory;
	OK(nvmlDeviceGetMemoryInfo(device, &memory));
	EXPECT(memory.total, memory.used + memory.free);
	return memory.used / MIB;
}

static void memory_of_another_process_is_seen(void)
{
	CUdeviceptr pointer;
	pid_t child = start_holder();
	use_card(0);
	EXPECT(724, free_mib());
	EXPECT(300, used_mib(managed_card()));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&pointer, 725 * MIB));
	tell(steps.to_child);
	expect_child(child);
	EXPECT(1024, free_mib());
}

static void a_killed_process_gives_its_memory_back(void)
{
	CUdeviceptr pointer;
	pid_t child = start_holder();
	use_card(0);
	kill_child(child);
	OK(cuMemAlloc_v2(&pointer, 1024 * MIB));
}

static void a_killed_process_that_nobody_waits_for_gives_its_memory_back(void)
{
	pid_t child = start_holder();
	nvmlDevice_t device = managed_card();
	siginfo_t info;
	EXPECT(true, child > 0);
	OK(kill(child, SIGKILL));
	OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT)); /* dead, and still a zombie */
	EXPECT(0, used_mib(device));
	EXPECT(child, waitpid(child, NULL, 0));
}

static void hold_and_exec(void)
{
	CUdeviceptr pointer;
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 300 * MIB));
	execl("/proc/self/exe", "processes", "idle", (char *)NULL);
}

static void a_process_that_execs_gives_its_memory_back(void)
{
	int status;
	make_steps(&steps);
	dup2(steps.to_child[0], STDIN_FILENO);
	dup2(steps.to_parent[1], STDOUT_FILENO);
	pid_t child = start_child(hold_and_exec);
	await(steps.to_parent);
	EXPECT(0, used_mib(managed_card()));
	tell(steps.to_child);
	EXPECT(child, waitpid(child, &status, 0));
}

static void the_list_of_processes_says_how_much_room_it_needs(void)
{
	nvmlProcessInfo_v1_t first[4];
	nvmlProcessInfo_v2_t second[4];
	pid_t child = start_holder();
	nvmlDevice_t device = managed_card();
	unsigned count = 0;
	EXPECT(NVML_ERROR_INSUFFICIENT_SIZE, nvmlDeviceGetComputeRunningProcesses_v3(device, &count, NULL));
	EXPECT(1, count);
	OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, second));
	EXPECT(child, second[0].pid);
	EXPECT(300 * MIB, second[0].usedGpuMemory);
	EXPECT(0xFFFFFFFF, second[0].gpuInstanceId);
	count = 4;
	OK(nvmlDeviceGetComputeRunningProcesses_v2(device, &count, second));
	EXPECT(1, count);
	count = 4;
	memset(first, 0x77, sizeof first);
	OK(nvmlDeviceGetComputeRunningProcesses(device, &count, first));
	EXPECT(300 * MIB, first[0].usedGpuMemory);
	EXPECT(0x77777777, first[1].pid);
	kill_child(child);
	count = 0;
	OK(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, NULL));
	EXPECT(0, count);
}

static void take_and_die(void)
{
	CUdeviceptr pointer;
	use_card(0);
	while (cuMemAlloc_v2(&pointer, MIB) != CUDA_ERROR_OUT_OF_MEMORY)
		;
	tell(steps.to_parent);
	for (unsigned i = 0;; i++) {
		if (cuMemAlloc_v2(&pointer, MIB) == CUDA_SUCCESS)
			cuMemFree_v2(pointer);
	}
}

/* Killed at any instruction, in the ledger and in its lock as well. */
static void a_hundred_kills_in_the_middle_leave_the_card_empty(void)
{
	nvmlDevice_t device = managed_card();
	for (int i = 0; i < 100; i++) {
		make_steps(&steps);
		pid_t child = start_child(take_and_die);
		await(steps.to_parent);
		usleep((useconds_t)(i * 7 % 50));
		kill_child(child);
		EXPECT(0, used_mib(device));
		for (int end = 0; end < 2; end++) {
			close(steps.to_child[end]);
			close(steps.to_parent[end]);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return write(STDOUT_FILENO, "x", 1) == 1 && read(STDIN_FILENO, &(char){0}, 1) == 1 ? 0 : 1;
	use_machine(CARD_A);
	in_child(memory_of_another_process_is_seen);
	in_child(a_killed_process_gives_its_memory_back);
	in_child(a_killed_process_that_nobody_waits_for_gives_its_memory_back);
	in_child(a_process_that_execs_gives_its_memory_back);
	in_child(the_list_of_processes_says_how_much_room_it_needs);
	in_child(a_hundred_kills_in_the_middle_leave_the_card_empty);
	remove_machine();
	return 0;
}
