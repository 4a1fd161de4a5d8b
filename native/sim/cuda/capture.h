/*
 * Captures: what is queued in a captured stream becomes a graph's nodes. Each call of streams and events asks here
 * first; while nothing is captured that is one load.
 */
#ifndef HETERO_SIM_CUDA_CAPTURE_H
#define HETERO_SIM_CUDA_CAPTURE_H

#include "driver.h"

/* True when the stream is captured, or must not be used because of a capture: then the answer is in `result`. */
bool capture_node(CUstream stream, bool per_thread, CUgraphNodeParams *parameters, CUresult *result);
bool capture_kernel(const CUDA_KERNEL_NODE_PARAMS_v2 *kernel, CUstream stream, bool per_thread, CUresult *result);
bool capture_record(CUevent event, CUstream stream, bool per_thread, unsigned flags, CUresult *result);
bool capture_wait(CUstream stream, CUevent event, bool per_thread, unsigned flags, CUresult *result);
bool capture_allocate(CUdeviceptr *out, size_t bytes, CUstream stream, bool per_thread, CUresult *result);
bool capture_free(CUdeviceptr address, CUstream stream, bool per_thread, CUresult *result);

/* What a call answers that has no place in a captured stream; it spoils the capture. */
CUresult capture_refuses(CUstream stream, bool per_thread);
/* What a call answers that might break a capture of this thread, or one of global mode; it spoils those. */
CUresult capture_forbids(void);
/* What a question about an event answers that was last recorded in a captured stream. */
CUresult capture_event_asked(CUevent event);

/* Begins an entry point that might break a capture. */
#define NEED_NO_CAPTURE()                                          \
	do {                                                       \
		CUresult capture_result = capture_forbids();       \
		if (capture_result != CUDA_SUCCESS)                \
			return capture_result;                     \
	} while (0)

void capture_forget_event(CUevent event);
void capture_forget_stream(CUstream stream);

#endif
