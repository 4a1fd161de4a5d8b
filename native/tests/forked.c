/*
 * For tests/native/test_processes.py: a process is forked again and again while its threads launch and allocate, and each child
 * makes the calls that the end of a program makes. The driver refuses them there; none may wait for a thread of the parent.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define FORKS 100
#define THREADS 3
#define PATIENCE_MS 10000

static CUcontext context;
static CUmodule module;
static CUfunction function;
static _Atomic bool done;

static CUresult launch(unsigned int blocks)
{
	unsigned long long iterations = 1;
	void *parameters[] = {&iterations};
	return cuLaunchKernel(function, blocks, 1, 1, 32, 1, 1, 0, NULL, parameters, NULL);
}

static void *work(void *unused)
{
	CUdeviceptr pointer;
	CHECK(cuCtxSetCurrent(context));
	for (unsigned int i = 0; !done; i++) {
		CHECK(launch(1 + i % 997)); /* many kinds: most of them are measured */
		if (i % 8 == 0 && cuMemAlloc_v2(&pointer, 4096) == CUDA_SUCCESS)
			cuMemFree_v2(pointer);
		if (i % 64 == 0)
			cuStreamSynchronize(NULL);
	}
	return unused;
}

static void end_program(void)
{
	CUdeviceptr pointer;
	launch(1);
	cuMemAlloc_v2(&pointer, 4096);
	cuModuleUnload(module);
	cuDevicePrimaryCtxRelease_v2(0);
	cuCtxDestroy_v2(context);
	exit(0);
}

static bool ended(pid_t child)
{
	int status;
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		sleep_seconds(0.001);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return false;
}

int main(void)
{
	pthread_t threads[THREADS];
	int good = 0;
	use_device(0);
	CHECK(cuCtxGetCurrent(&context));
	CHECK(cuModuleLoadData(&module, "work"));
	CHECK(cuModuleGetFunction(&function, module, "work"));
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (pid_t child; good < FORKS; good++) {
		child = fork();
		if (child == 0)
			end_program();
		if (child < 0 || !ended(child))
			break;
	}
	done = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%d of %d children ended by themselves\n", good, FORKS);
	return good == FORKS ? 0 : 1;
}
