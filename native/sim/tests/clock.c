/*
 * The clock of a card.  Time stamps are compared with each other, never with a
 * stop-watch: a slow machine makes the tests slower, not wrong.  What processes do to
 * each other is tested by the virtual clock (virtual.c).
 */
#include "check.h"

static struct steps steps;

static CUfunction kernel(const char *name)
{
	CUmodule module;
	CUfunction function;
	OK(cuModuleLoadData(&module, "any image"));
	OK(cuModuleGetFunction(&function, module, name));
	return function;
}

static void work(CUfunction function, CUstream stream, uint64_t milliseconds)
{
	uint64_t iterations = milliseconds * 1000;
	void *parameters[] = {&iterations};
	OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL));
}

static CUevent mark(CUstream stream)
{
	CUevent event;
	OK(cuEventCreate(&event, CU_EVENT_DEFAULT));
	OK(cuEventRecord(event, stream));
	return event;
}

static double between(CUevent start, CUevent end)
{
	float milliseconds;
	OK(cuEventSynchronize(end));
	OK(cuEventElapsedTime(&milliseconds, start, end));
	return (double)milliseconds;
}

static bool near(double expected, double actual)
{
	return actual > expected * 0.999 && actual < expected * 1.001;
}

/* Each kernel is measured between two events of which the first follows another kernel at once. */
static void a_kernel_takes_its_iterations_times_the_time_of_one(void)
{
	CUfunction function = (use_card(0), kernel("work"));
	work(function, NULL, 200);
	CUevent one = mark(NULL);
	work(function, NULL, 5);
	CUevent two = mark(NULL);
	EXPECT(true, near(5, between(one, two)));
}

static void any_other_kernel_takes_ten_microseconds(void)
{
	CUfunction slow = (use_card(0), kernel("work")), plain = kernel("something");
	work(slow, NULL, 200);
	CUevent one = mark(NULL);
	OK(cuLaunchKernel(plain, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	CUevent two = mark(NULL);
	EXPECT(true, near(0.010, between(one, two)));
}

static void streams_share_the_card_in_the_order_of_launches(void)
{
	CUstream left, right;
	CUfunction function = (use_card(0), kernel("work"));
	OK(cuStreamCreate(&left, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&right, CU_STREAM_NON_BLOCKING));
	work(function, left, 200);
	CUevent first = mark(left);
	work(function, right, 10);
	CUevent second = mark(right);
	EXPECT(CUDA_ERROR_NOT_READY, cuStreamQuery(right));
	EXPECT(true, near(10, between(first, second)));
	OK(cuStreamQuery(right));
	OK(cuStreamSynchronize(left));
}

static void events_say_whether_they_have_happened(void)
{
	CUevent never, untimed, start, end;
	float milliseconds;
	CUfunction function = (use_card(0), kernel("work"));
	OK(cuEventCreate(&never, CU_EVENT_DEFAULT));
	OK(cuEventQuery(never));
	start = mark(NULL);
	work(function, NULL, 200);
	end = mark(NULL);
	EXPECT(CUDA_ERROR_NOT_READY, cuEventQuery(end));
	EXPECT(CUDA_ERROR_NOT_READY, cuEventElapsedTime(&milliseconds, start, end));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&milliseconds, never, end));
	OK(cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING));
	OK(cuEventRecord(untimed, NULL));
	OK(cuCtxSynchronize());
	OK(cuEventQuery(end));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&milliseconds, start, untimed));
	OK(cuEventDestroy_v2(end));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuEventQuery(end));
}

static void launch_an_hour(void)
{
	CUfunction function = (use_card(0), kernel("work"));
	work(function, NULL, 3600000);
	tell(steps.to_parent);
	await(steps.to_child);
}

static void the_queue_of_a_killed_process_is_dropped(void)
{
	make_steps(&steps);
	pid_t child = start_child(launch_an_hour);
	await(steps.to_parent);
	kill_child(child);
	CUfunction function = (use_card(0), kernel("work"));
	work(function, NULL, 1);
	OK(cuCtxSynchronize()); /* would take the hour */
}

static void more_launches_than_the_queue_holds_are_all_run(void)
{
	CUfunction function = (use_card(0), kernel("work"));
	CUevent start = mark(NULL);
	for (int i = 0; i < 1500; i++) {
		uint64_t iterations = 20;
		void *parameters[] = {&iterations};
		OK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL));
	}
	EXPECT(true, between(start, mark(NULL)) >= 1500 * 0.020 * 0.999);
}

static void wrong_launches_are_refused(void)
{
	CUfunction function = (use_card(0), kernel("work"));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(function, 0, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(function, 1, 1, 1, 2048, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
}

static void each_thread_exchanges_its_capture_mode(void)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED, wrong = 3;
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	EXPECT(CU_STREAM_CAPTURE_MODE_GLOBAL, mode);
	OK(cuThreadExchangeStreamCaptureMode(&mode));
	EXPECT(CU_STREAM_CAPTURE_MODE_RELAXED, mode);
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuThreadExchangeStreamCaptureMode(&wrong));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuThreadExchangeStreamCaptureMode(NULL));
}

static unsigned card_busy_percent(nvmlDevice_t device)
{
	nvmlUtilization_t utilization;
	OK(nvmlDeviceGetUtilizationRates(device, &utilization));
	return utilization.gpu;
}

static void utilisation_is_the_busy_share_of_the_last_second(void)
{
	nvmlProcessUtilizationSample_t sample;
	nvmlDevice_t device;
	unsigned count = 1;
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetHandleByIndex_v2(0, &device));
	CUfunction function = (use_card(0), kernel("work"));
	work(function, NULL, 1300);
	OK(cuCtxSynchronize());
	EXPECT(true, card_busy_percent(device) > 0);
	OK(nvmlDeviceGetProcessUtilization(device, &sample, &count, 0));
	EXPECT(getpid(), sample.pid);
	EXPECT(true, sample.smUtil <= 100);
}

int main(void)
{
	use_machine(CARD_A);
	in_child(a_kernel_takes_its_iterations_times_the_time_of_one);
	in_child(any_other_kernel_takes_ten_microseconds);
	in_child(streams_share_the_card_in_the_order_of_launches);
	in_child(events_say_whether_they_have_happened);
	in_child(the_queue_of_a_killed_process_is_dropped);
	in_child(more_launches_than_the_queue_holds_are_all_run);
	in_child(wrong_launches_are_refused);
	in_child(each_thread_exchanges_its_capture_mode);
	in_child(utilisation_is_the_busy_share_of_the_last_second);
	remove_machine();
	return 0;
}
