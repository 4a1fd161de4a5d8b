/*
 * Captures are counted from begin to end, whatever the driver answers at either; asked about is a stream only
 * meanwhile.
 */
#include "capture.h"

#include "shim.h"

#include "testhelper.h"

#define STREAM ((CUstream)0x10)
#define OTHER ((CUstream)0x20)

/* A driver of two streams, which answers as it is told. */
static CUresult answer;
static CUstream capturing;
static int asked;

static CUresult driver_begin(CUstream stream, CUstreamCaptureMode mode)
{
	(void)mode;
	if (answer == CUDA_SUCCESS)
		capturing = stream;
	return answer;
}

static CUresult driver_end(CUstream stream, CUgraph *graph)
{
	(void)graph;
	if (stream == capturing && answer != CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD)
		capturing = NULL;
	return answer;
}

static CUresult driver_status(CUstream stream, CUstreamCaptureStatus *status)
{
	asked++;
	*status = stream == capturing ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
	return CUDA_SUCCESS;
}

const struct cuda_real *cuda_real(void)
{
	static const struct cuda_real real = {.cuStreamIsCapturing = driver_status,
					      .cuStreamIsCapturing_ptsz = driver_status};
	return &real;
}

static CUresult begin(CUresult said)
{
	answer = said;
	return hook_capture_begin(driver_begin, STREAM, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

static CUresult end(CUresult said, CUstream stream)
{
	CUgraph graph;
	answer = said;
	return hook_capture_end(driver_end, stream, &graph);
}

static void only_the_captured_stream_is_captured(void)
{
	CHECK(begin(CUDA_SUCCESS) == CUDA_SUCCESS);
	CHECK(capture_any());
	CHECK(capture_of(STREAM, false) && capture_of(STREAM, true));
	CHECK(!capture_of(OTHER, false));
	CHECK(end(CUDA_SUCCESS, STREAM) == CUDA_SUCCESS);
	CHECK(!capture_any());
}

static void the_driver_is_not_asked_while_nothing_is_captured(void)
{
	asked = 0;
	CHECK(!capture_of(STREAM, false));
	CHECK(asked == 0);
}

static void a_capture_that_did_not_begin_is_none(void)
{
	CHECK(begin(CUDA_ERROR_ILLEGAL_STATE) == CUDA_ERROR_ILLEGAL_STATE);
	CHECK(!capture_any());
}

static void a_capture_that_was_invalidated_has_ended(void)
{
	begin(CUDA_SUCCESS);
	CHECK(end(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, STREAM) == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	CHECK(!capture_any());
}

static void an_end_that_ended_nothing_is_none(void)
{
	begin(CUDA_SUCCESS);
	CHECK(end(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, STREAM) == CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
	CHECK(end(CUDA_ERROR_ILLEGAL_STATE, OTHER) == CUDA_ERROR_ILLEGAL_STATE);
	CHECK(capture_of(STREAM, false));
	end(CUDA_SUCCESS, STREAM);
	CHECK(!capture_any());
	end(CUDA_ERROR_ILLEGAL_STATE, STREAM);
	CHECK(begin(CUDA_SUCCESS) == CUDA_SUCCESS && capture_any());
	end(CUDA_SUCCESS, STREAM);
}

int main(void)
{
	only_the_captured_stream_is_captured();
	the_driver_is_not_asked_while_nothing_is_captured();
	a_capture_that_did_not_begin_is_none();
	a_capture_that_was_invalidated_has_ended();
	an_end_that_ended_nothing_is_none();
	return TEST_RESULT();
}
