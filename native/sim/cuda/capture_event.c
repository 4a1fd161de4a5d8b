/* Events in captures: they carry one from stream to stream, and are no events of the card. */
#include "capture_state.h"

#include <stdlib.h>

#define EXTERNAL 1u /* of an event: a node of the graph, no mark of the capture */

static struct captured_event *find_event(CUevent event)
{
	struct captured_event *found = captured_events;
	while (found && found->event != event)
		found = found->next;
	return found;
}

static void forget_event(CUevent event)
{
	struct captured_event **link = &captured_events;
	while (*link && (*link)->event != event)
		link = &(*link)->next;
	struct captured_event *gone = *link;
	if (!gone)
		return;
	*link = gone->next;
	free(gone->last.nodes);
	free(gone);
	atomic_fetch_sub(&capture_entries, 1);
}

void capture_forget_event(CUevent event)
{
	if (nothing_captured())
		return;
	pthread_mutex_lock(&capture_lock);
	forget_event(event);
	pthread_mutex_unlock(&capture_lock);
}

static CUresult mark(CUevent event, const struct captured_stream *stream)
{
	forget_event(event);
	struct captured_event *marked = calloc(1, sizeof *marked);
	if (!marked || !node_set_merge(&marked->last, &stream->last)) {
		free(marked);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	marked->event = event;
	marked->capture = stream->capture;
	marked->next = captured_events;
	captured_events = marked;
	atomic_fetch_add(&capture_entries, 1);
	return CUDA_SUCCESS;
}

bool capture_record(CUevent event, CUstream stream, bool per_thread, unsigned flags, CUresult *result)
{
	if (nothing_captured() || !object_is(event, EVENT))
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .event = event};
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = flags & EXTERNAL ? capture_add(found, &parameters) : mark(event, found);
	bool taken = found || *result != CUDA_SUCCESS;
	if (!taken)
		forget_event(event);
	pthread_mutex_unlock(&capture_lock);
	return taken;
}

/* A stream that waits for a captured event becomes part of the capture; one that is captured waits for no other. */
static CUresult wait(struct captured_stream *stream, CUstream name, CUcontext context,
		     const struct captured_event *event, CUevent asked)
{
	if (!event && asked->recorded) {
		stream->capture->spoiled = true;
		return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
	}
	if (!event)
		return CUDA_SUCCESS;
	if (!event->capture || event->capture->spoiled)
		return CUDA_ERROR_INVALID_VALUE;
	if (stream && stream->capture != event->capture) {
		stream->capture->spoiled = event->capture->spoiled = true;
		return CUDA_ERROR_STREAM_CAPTURE_MERGE;
	}
	if (!stream)
		stream = captured_join(event->capture, name, context);
	return stream && node_set_merge(&stream->last, &event->last) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

bool capture_wait(CUstream stream, CUevent event, bool per_thread, unsigned flags, CUresult *result)
{
	CUcontext context;
	uint64_t tail;
	if (nothing_captured() || !object_is(event, EVENT) ||
	    stream_tail(stream, per_thread, &context, &tail) != CUDA_SUCCESS)
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .event = event};
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, result);
	const struct captured_event *marked = find_event(event);
	bool taken = found || marked || *result != CUDA_SUCCESS;
	if (taken && *result == CUDA_SUCCESS)
		*result = found && (flags & EXTERNAL)
				  ? capture_add(found, &parameters)
				  : wait(found, capture_name(stream, per_thread), context, marked, event);
	pthread_mutex_unlock(&capture_lock);
	return taken;
}

CUresult capture_event_asked(CUevent event)
{
	CUresult result = CUDA_SUCCESS;
	if (nothing_captured())
		return result;
	pthread_mutex_lock(&capture_lock);
	struct captured_event *marked = find_event(event);
	if (marked && marked->capture && !marked->capture->spoiled) {
		marked->capture->spoiled = true;
		result = CUDA_ERROR_CAPTURED_EVENT;
	} else if (marked) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	pthread_mutex_unlock(&capture_lock);
	return result == CUDA_SUCCESS ? capture_forbids() : result;
}
