/* Events: the time at which what was queued before them ends. */
#include "capture.h"
#include "driver.h"

SIM_EXPORT CUresult cuEventCreate(CUevent *out, unsigned int flags)
{
	NEED_CONTEXT(context);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUevent event = object_new(EVENT, sizeof *event);
	if (event) {
		event->context = context;
		event->flags = flags;
		*out = event;
	}
	driver_unlock();
	return event ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuEventDestroy_v2(CUevent event)
{
	NEED_INIT();
	if (!object_is(event, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	capture_forget_event(event);
	driver_lock();
	timeline_release(event);
	object_end(event);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuEventDestroy(CUevent event)
{
	return cuEventDestroy_v2(event);
}

static CUresult record(CUevent event, CUstream stream, unsigned flags, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	if (!object_is(event, EVENT) || event->context != context)
		return CUDA_ERROR_INVALID_HANDLE;
	if (capture_record(event, stream, per_thread, flags, &result))
		return result;
	timeline_record(event, tail);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
	return record(event, stream, 0, false);
}

SIM_EXPORT CUresult cuEventRecord_ptsz(CUevent event, CUstream stream)
{
	return record(event, stream, 0, true);
}

SIM_EXPORT CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned int flags)
{
	return record(event, stream, flags, false);
}

SIM_EXPORT CUresult cuEventRecordWithFlags_ptsz(CUevent event, CUstream stream, unsigned int flags)
{
	return record(event, stream, flags, true);
}

/* An event that was never recorded is complete. */
SIM_EXPORT CUresult cuEventQuery(CUevent event)
{
	NEED_INIT();
	if (!object_is(event, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult result = capture_event_asked(event);
	if (result != CUDA_SUCCESS)
		return result;
	if (timeline_happened(event))
		return CUDA_SUCCESS;
	timeline_spend_query();
	return CUDA_ERROR_NOT_READY;
}

SIM_EXPORT CUresult cuEventSynchronize(CUevent event)
{
	NEED_INIT();
	if (!object_is(event, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult result = capture_event_asked(event);
	if (result != CUDA_SUCCESS)
		return result;
	timeline_wait(timeline_ticket(event));
	return CUDA_SUCCESS;
}

static bool timed(CUevent event)
{
	return object_is(event, EVENT) && event->recorded && !(event->flags & CU_EVENT_DISABLE_TIMING);
}

SIM_EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end)
{
	NEED_INIT();
	if (!milliseconds)
		return CUDA_ERROR_INVALID_VALUE;
	if (!timed(start) || !timed(end))
		return CUDA_ERROR_INVALID_HANDLE;
	if (!timeline_happened(start) || !timeline_happened(end))
		return CUDA_ERROR_NOT_READY;
	*milliseconds = (float)((double)(int64_t)(end->at_ns - start->at_ns) / 1e6);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent start, CUevent end)
{
	return cuEventElapsedTime(milliseconds, start, end);
}
