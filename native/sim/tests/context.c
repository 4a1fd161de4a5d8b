/* Contexts: what they cost, who they belong to, and what goes with them. */
#include "check.h"

static void each_context_costs_memory_and_a_retained_one_once(void)
{
	CUcontext primary = use_card(0), again, own;
	EXPECT(924, free_mib());
	OK(cuDevicePrimaryCtxRetain(&again, 0));
	EXPECT(true, primary == again);
	OK(cuCtxCreate_v2(&own, 0, 0));
	EXPECT(824, free_mib());
	OK(cuCtxDestroy_v2(own));
	OK(cuDevicePrimaryCtxRelease_v2(0));
	EXPECT(924, free_mib());
	OK(cuDevicePrimaryCtxRelease_v2(0));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuDevicePrimaryCtxRelease_v2(0));
	OK(cuInit(0));
	use_card(0);
	EXPECT(924, free_mib());
}

static void a_context_that_ends_gives_back_its_memory(void)
{
	CUdeviceptr pointer;
	CUcontext own;
	use_card(0);
	OK(cuCtxCreate_v2(&own, 0, 0));
	OK(cuMemAlloc_v2(&pointer, 500 * MIB));
	EXPECT(324, free_mib());
	OK(cuCtxDestroy_v2(own));
	EXPECT(924, free_mib());
}

static void a_context_without_room_is_refused(void)
{
	CUdeviceptr pointer;
	CUcontext context;
	use_card(0);
	OK(cuMemAlloc_v2(&pointer, 924 * MIB));
	pid_t child = fork();
	EXPECT(true, child >= 0);
	if (child == 0) /* a driver does not survive fork, so the child has to be a program of its own */
		execl("/proc/self/exe", "context", "refused", (char *)NULL);
	expect_child(child);
	OK(cuCtxGetCurrent(&context));
}

static int expect_refusal(void)
{
	CUcontext context;
	OK(cuInit(0));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuDevicePrimaryCtxRetain(&context, 0));
	return 0;
}

static void the_stack_of_current_contexts_is_a_stack(void)
{
	CUcontext one = use_card(0), two, popped, current;
	OK(cuCtxCreate_v2(&two, 0, 0));
	OK(cuCtxGetCurrent(&current));
	EXPECT(true, current == two);
	OK(cuCtxPushCurrent_v2(one));
	OK(cuCtxPopCurrent_v2(&popped));
	EXPECT(true, popped == one);
	OK(cuCtxPopCurrent_v2(&popped));
	EXPECT(true, popped == two);
	OK(cuCtxPopCurrent_v2(NULL));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuCtxPopCurrent_v2(&popped));
	OK(cuCtxGetCurrent(&current));
	EXPECT(true, current == NULL);
}

static void use_in_a_forked_child(void)
{
	size_t free_bytes, total;
	EXPECT(CUDA_ERROR_NOT_INITIALIZED, cuMemGetInfo_v2(&free_bytes, &total));
	EXPECT(CUDA_ERROR_NOT_INITIALIZED, cuInit(0));
}

static void a_driver_does_not_survive_fork(void)
{
	use_card(0);
	in_child(use_in_a_forked_child);
	EXPECT(924, free_mib());
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "refused") == 0)
		return expect_refusal();
	use_machine(CARD_A "context_mib = 100\n");
	in_child(each_context_costs_memory_and_a_retained_one_once);
	in_child(a_context_that_ends_gives_back_its_memory);
	in_child(a_context_without_room_is_refused);
	in_child(the_stack_of_current_contexts_is_a_stack);
	in_child(a_driver_does_not_survive_fork);
	remove_machine();
	return 0;
}
