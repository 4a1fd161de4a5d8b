/*
 * Streams.  A card runs the works of a process one at a time in the order in
 * which they were queued, so a stream is no more than the ticket of its last work.
 */
#include "capture.h"
#include "driver.h"

/* Handles with a meaning of their own, from the driver API's header. */
#define LEGACY ((CUstream)0x1)
#define PER_THREAD ((CUstream)0x2)

static bool is_legacy(CUstream stream, bool per_thread)
{
	return stream == LEGACY || (!stream && !per_thread);
}

static bool is_per_thread(CUstream stream, bool per_thread)
{
	return stream == PER_THREAD || (!stream && per_thread);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

CUresult stream_tail(CUstream stream, bool per_thread, CUcontext *context, uint64_t *tail)
{
	NEED_CONTEXT(current);
	*context = current;
	if (is_legacy(stream, per_thread)) {
		*tail = current->blocking_tail;
	} else if (is_per_thread(stream, per_thread)) {
		*tail = later(current->per_thread_tail, current->legacy_tail);
	} else if (!object_is(stream, STREAM)) {
		return CUDA_ERROR_INVALID_HANDLE;
	} else {
		*context = stream->context;
		*tail = stream->flags & CU_STREAM_NON_BLOCKING
				   ? stream->tail
				   : later(stream->tail, stream->context->legacy_tail);
	}
	return CUDA_SUCCESS;
}

static void push_back(uint64_t *tail, uint64_t ticket)
{
	*tail = later(*tail, ticket);
}

/* The stream's work now goes up to this ticket. */
static void advance(CUstream stream, bool per_thread, CUcontext context, uint64_t ticket)
{
	bool blocking = true;
	driver_lock();
	push_back(&context->tail, ticket);
	if (is_legacy(stream, per_thread)) {
		push_back(&context->legacy_tail, ticket);
	} else if (is_per_thread(stream, per_thread)) {
		push_back(&context->per_thread_tail, ticket);
	} else {
		push_back(&stream->tail, ticket);
		blocking = !(stream->flags & CU_STREAM_NON_BLOCKING);
	}
	if (blocking)
		push_back(&context->blocking_tail, ticket);
	driver_unlock();
}

void streams_forget_context(CUcontext context)
{
	while (context->streams) {
		CUstream stream = context->streams;
		context->streams = stream->next;
		object_end(stream);
	}
}

SIM_EXPORT CUresult cuStreamCreateWithPriority(CUstream *out, unsigned int flags, int priority)
{
	NEED_CONTEXT(context);
	if (!out || flags > CU_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	driver_lock();
	CUstream stream = object_new(STREAM, sizeof *stream);
	if (stream) {
		stream->context = context;
		stream->flags = flags;
		stream->priority = priority;
		stream->next = context->streams;
		context->streams = stream;
		*out = stream;
	}
	driver_unlock();
	return stream ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

SIM_EXPORT CUresult cuStreamCreate(CUstream *out, unsigned int flags)
{
	return cuStreamCreateWithPriority(out, flags, 0);
}

/* Returns at once; the work that is queued still runs. */
SIM_EXPORT CUresult cuStreamDestroy_v2(CUstream stream)
{
	NEED_INIT();
	if (stream == LEGACY || stream == PER_THREAD || !object_is(stream, STREAM))
		return CUDA_ERROR_INVALID_HANDLE;
	capture_forget_stream(stream);
	driver_lock();
	CUstream *link = &stream->context->streams;
	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	object_end(stream);
	driver_unlock();
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuStreamDestroy(CUstream stream)
{
	return cuStreamDestroy_v2(stream);
}

/* Where a capture allows that a stream is asked or waited for. */
static CUresult outside_captures(CUstream stream, bool per_thread, CUcontext *context, uint64_t *tail)
{
	CUresult result = stream_tail(stream, per_thread, context, tail);
	if (result == CUDA_SUCCESS)
		result = capture_refuses(stream, per_thread);
	return result == CUDA_SUCCESS ? capture_forbids() : result;
}

static CUresult synchronize(CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = outside_captures(stream, per_thread, &context, &tail);
	if (result == CUDA_SUCCESS) {
		timeline_wait(tail);
		memory_synchronized(context);
	}
	return result;
}

static CUresult query(CUstream stream, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = outside_captures(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS || timeline_ended(tail))
		return result;
	timeline_spend_query();
	return CUDA_ERROR_NOT_READY;
}

CUresult stream_run(CUstream stream, bool per_thread, uint64_t duration_ns)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	sim_spend(driver.machine.config.launch_ns);
	advance(stream, per_thread, context, timeline_run(driver.card_of[context->device], duration_ns, 0));
	return CUDA_SUCCESS;
}

/* Another card's event becomes a work of no duration here, behind which all others of this card have to wait. */
static CUresult wait_event(CUstream stream, CUevent event, unsigned flags, bool per_thread)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS || capture_wait(stream, event, per_thread, flags, &result))
		return result;
	if (!object_is(event, EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	uint64_t ticket = timeline_ticket(event);
	if (ticket && event->context->device != context->device)
		ticket = timeline_run(driver.card_of[context->device], 0, ticket);
	if (ticket)
		advance(stream, per_thread, context, ticket);
	return CUDA_SUCCESS;
}

SIM_EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
	return synchronize(stream, false);
}

SIM_EXPORT CUresult cuStreamSynchronize_ptsz(CUstream stream)
{
	return synchronize(stream, true);
}

SIM_EXPORT CUresult cuStreamQuery(CUstream stream)
{
	return query(stream, false);
}

SIM_EXPORT CUresult cuStreamQuery_ptsz(CUstream stream)
{
	return query(stream, true);
}

SIM_EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags)
{
	return wait_event(stream, event, flags, false);
}

SIM_EXPORT CUresult cuStreamWaitEvent_ptsz(CUstream stream, CUevent event, unsigned int flags)
{
	return wait_event(stream, event, flags, true);
}

static CUresult get_context(CUstream stream, bool per_thread, CUcontext *out)
{
	uint64_t tail;
	return out ? stream_tail(stream, per_thread, out, &tail) : CUDA_ERROR_INVALID_VALUE;
}

SIM_EXPORT CUresult cuStreamGetCtx(CUstream stream, CUcontext *context)
{
	return get_context(stream, false, context);
}

SIM_EXPORT CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext *context)
{
	return get_context(stream, true, context);
}
