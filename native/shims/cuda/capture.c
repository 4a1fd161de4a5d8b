/*
 * Captures, counted from their begin to their end. To ask the driver whether a stream is captured costs 80 to 850 ns
 * on a card (H100, driver 580), at each launch; almost no launch is near a capture, and for those the count answers.
 *
 * The count is raised before the driver begins, so that no other thread finds it too low. A stream that is destroyed
 * in its capture leaves it too high: from then on each launch of this process asks the driver, which is slower and
 * not wrong.
 */
#include "capture.h"

#include "shim.h"

_Atomic int captures_under_way;

static CUstreamCaptureStatus status_of(CUstream stream, bool per_thread)
{
	const struct cuda_real *real = cuda_real();
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	CUresult (*ask)(CUstream, CUstreamCaptureStatus *) =
		per_thread ? real->cuStreamIsCapturing_ptsz : real->cuStreamIsCapturing;
	if (ask && ask(stream, &status) != CUDA_SUCCESS)
		return CU_STREAM_CAPTURE_STATUS_INVALIDATED;
	return status;
}

bool capture_of(CUstream stream, bool per_thread)
{
	return capture_any() && status_of(stream, per_thread) != CU_STREAM_CAPTURE_STATUS_NONE;
}

static void begin(void)
{
	atomic_fetch_add_explicit(&captures_under_way, 1, memory_order_relaxed);
}

static void end(void)
{
	atomic_fetch_sub_explicit(&captures_under_way, 1, memory_order_relaxed);
}

static CUresult begun(CUresult result)
{
	if (result != CUDA_SUCCESS)
		end();
	return result;
}

CUresult hook_capture_begin_v1(CUresult (*real)(CUstream), CUstream stream)
{
	begin();
	return begun(real(stream));
}

CUresult hook_capture_begin(CUresult (*real)(CUstream, CUstreamCaptureMode), CUstream stream, CUstreamCaptureMode mode)
{
	begin();
	return begun(real(stream, mode));
}

CUresult hook_capture_begin_to_cig(CUresult (*real)(CUstream, CUstreamCigCaptureParams *), CUstream stream,
				   CUstreamCigCaptureParams *parameters)
{
	begin();
	return begun(real(stream, parameters));
}

CUresult hook_capture_begin_to_graph(CUresult (*real)(CUstream, CUgraph, const CUgraphNode *, const CUgraphEdgeData *,
						      size_t, CUstreamCaptureMode),
				     CUstream stream, CUgraph graph, const CUgraphNode *dependencies,
				     const CUgraphEdgeData *edges, size_t count, CUstreamCaptureMode mode)
{
	begin();
	return begun(real(stream, graph, dependencies, edges, count, mode));
}

CUresult hook_recapture_begin(CUresult (*real)(CUstream, CUstreamCaptureMode, CUgraph, CUgraphRecaptureCallback,
					       void *),
			      CUstream stream, CUstreamCaptureMode mode, CUgraph graph,
			      CUgraphRecaptureCallback callback, void *user)
{
	begin();
	return begun(real(stream, mode, graph, callback, user));
}

/*
 * An end that fails may have ended a capture all the same (it was invalidated, or is not joined), or not (there was
 * none, it is another thread's). Only the stream tells.
 */
static CUresult ended(CUresult result, bool captured, CUstream stream, bool per_thread)
{
	if (result == CUDA_SUCCESS ||
	    (captured && status_of(stream, per_thread) == CU_STREAM_CAPTURE_STATUS_NONE))
		end();
	return result;
}

CUresult hook_capture_end(CUresult (*real)(CUstream, CUgraph *), CUstream stream, CUgraph *graph)
{
	bool captured = capture_of(stream, false);
	return ended(real(stream, graph), captured, stream, false);
}

CUresult hook_capture_end_ptsz(CUresult (*real)(CUstream, CUgraph *), CUstream stream, CUgraph *graph)
{
	bool captured = capture_of(stream, true);
	return ended(real(stream, graph), captured, stream, true);
}

CUresult hook_capture_end_to_cig(CUresult (*real)(CUstream), CUstream stream)
{
	bool captured = capture_of(stream, false);
	return ended(real(stream), captured, stream, false);
}

CUresult hook_capture_end_to_cig_ptsz(CUresult (*real)(CUstream), CUstream stream)
{
	bool captured = capture_of(stream, true);
	return ended(real(stream), captured, stream, true);
}
