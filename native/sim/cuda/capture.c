/*
 * Captures. A stream joins one when it begins there, or when it waits for an event that was recorded in one; what it
 * has queued last is what its next node depends on.
 *
 * Source: what an H100 (driver 580.159.04) answered to each of these calls, 2026-11-27.
 */
#include "capture_state.h"

#include <stdlib.h>

pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
struct capture *captures_open;
struct captured_stream *captured_streams;
struct captured_event *captured_events;
_Atomic int capture_entries;

static _Thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

/* Each thread has a mode, global at first. */
SIM_EXPORT CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	if (!mode || (unsigned)*mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	CUstreamCaptureMode before = thread_mode;
	thread_mode = *mode;
	*mode = before;
	return CUDA_SUCCESS;
}

CUstream capture_name(CUstream stream, bool per_thread)
{
	return stream ? stream : per_thread ? CU_STREAM_PER_THREAD : CU_STREAM_LEGACY;
}

bool node_set_merge(struct node_set *set, const struct node_set *more)
{
	size_t room = set->count + more->count;
	CUgraphNode *nodes = room > set->room ? realloc(set->nodes, room * sizeof *nodes) : set->nodes;
	if (room && !nodes)
		return false;
	set->nodes = nodes;
	set->room = room > set->room ? room : set->room;
	for (size_t i = 0; i < more->count; i++) {
		bool known = false;
		for (size_t j = 0; j < set->count; j++)
			known |= set->nodes[j] == more->nodes[i];
		if (!known)
			set->nodes[set->count++] = more->nodes[i];
	}
	return true;
}

static void replace(struct node_set *set, CUgraphNode node)
{
	set->count = 0;
	node_set_merge(set, &(struct node_set){.nodes = &node, .count = 1});
}

/* --- the lists, with the lock held */

struct captured_stream *captured_find(CUstream stream, CUcontext context)
{
	struct captured_stream *found = captured_streams;
	while (found && (found->stream != stream || (stream == CU_STREAM_PER_THREAD && found->context != context)))
		found = found->next;
	return found;
}

struct captured_stream *captured_join(struct capture *capture, CUstream stream, CUcontext context)
{
	struct captured_stream *joined = calloc(1, sizeof *joined);
	if (!joined)
		return NULL;
	joined->next = captured_streams;
	joined->capture = capture;
	joined->stream = stream;
	joined->context = context;
	joined->blocking = stream == CU_STREAM_PER_THREAD || !(stream->flags & CU_STREAM_NON_BLOCKING);
	captured_streams = joined;
	atomic_fetch_add(&capture_entries, 1);
	return joined;
}

void captured_leave(struct captured_stream **link)
{
	struct captured_stream *left = *link;
	*link = left->next;
	free(left->last.nodes);
	free(left);
	atomic_fetch_sub(&capture_entries, 1);
}

void capture_over(struct capture *capture)
{
	for (struct captured_stream **link = &captured_streams; *link;)
		if ((*link)->capture == capture)
			captured_leave(link);
		else
			link = &(*link)->next;
	for (struct captured_event *event = captured_events; event; event = event->next)
		if (event->capture == capture)
			event->capture = NULL;
	struct capture **link = &captures_open;
	while (*link != capture)
		link = &(*link)->next;
	*link = capture->next;
	free(capture);
	atomic_fetch_sub(&capture_entries, 1);
}

/* With its origin a capture goes too. */
void capture_forget_stream(CUstream stream)
{
	if (nothing_captured())
		return;
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_find(stream, NULL);
	if (found && found->capture->origin == stream) {
		if (found->capture->own_graph)
			graph_end(found->capture->graph);
		capture_over(found->capture);
	} else if (found) {
		struct captured_stream **link = &captured_streams;
		while (*link != found)
			link = &(*link)->next;
		captured_leave(link);
	}
	pthread_mutex_unlock(&capture_lock);
}

/* The default stream waits for all blocking streams, and so would be part of a capture of any. */
static bool spoil_blocking(CUcontext context)
{
	bool any = false;
	for (struct captured_stream *stream = captured_streams; stream; stream = stream->next)
		if (stream->blocking && stream->context == context)
			any = stream->capture->spoiled = true;
	return any;
}

/* --- what a call finds */

/* The stream's entry, or NULL with CUDA_SUCCESS when it is not captured. With the lock held. */
struct captured_stream *captured_look_up(CUstream stream, bool per_thread, CUresult *result)
{
	CUcontext context = NULL;
	uint64_t tail;
	*result = stream_tail(stream, per_thread, &context, &tail);
	if (*result != CUDA_SUCCESS)
		return NULL;
	if (capture_name(stream, per_thread) == CU_STREAM_LEGACY) {
		*result = spoil_blocking(context) ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT : CUDA_SUCCESS;
		return NULL;
	}
	struct captured_stream *found = captured_find(capture_name(stream, per_thread), context);
	if (found && found->capture->spoiled)
		*result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	return found;
}

CUresult capture_refuses(CUstream stream, bool per_thread)
{
	CUresult result = CUDA_SUCCESS;
	if (nothing_captured())
		return result;
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, &result);
	if (found && result == CUDA_SUCCESS) {
		found->capture->spoiled = true;
		result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	pthread_mutex_unlock(&capture_lock);
	return result;
}

static bool forbids(const struct capture *capture)
{
	if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED || capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED)
		return false;
	if (pthread_equal(capture->thread, pthread_self()))
		return true;
	return thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL && capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
}

CUresult capture_forbids(void)
{
	CUresult result = CUDA_SUCCESS;
	if (nothing_captured())
		return result;
	pthread_mutex_lock(&capture_lock);
	for (struct capture *capture = captures_open; capture; capture = capture->next)
		if (forbids(capture)) {
			capture->spoiled = true;
			result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		}
	pthread_mutex_unlock(&capture_lock);
	return result;
}

CUresult capture_add(struct captured_stream *stream, CUgraphNodeParams *parameters)
{
	CUgraphNode node;
	const struct node_set *last = &stream->last;
	CUresult result = graph_add(&node, stream->capture->graph, last->nodes, NULL, last->count, parameters);
	if (result == CUDA_SUCCESS)
		replace(&stream->last, node);
	return result;
}

bool capture_node(CUstream stream, bool per_thread, CUgraphNodeParams *parameters, CUresult *result)
{
	if (nothing_captured())
		return false;
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = capture_add(found, parameters);
	pthread_mutex_unlock(&capture_lock);
	return found || *result != CUDA_SUCCESS;
}

bool capture_kernel(const CUDA_KERNEL_NODE_PARAMS_v2 *kernel, CUstream stream, bool per_thread, CUresult *result)
{
	if (nothing_captured())
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_KERNEL, .kernel = *kernel};
	return capture_node(stream, per_thread, &parameters, result);
}

bool capture_allocate(CUdeviceptr *out, size_t bytes, CUstream stream, bool per_thread, CUresult *result)
{
	CUcontext context;
	uint64_t tail;
	if (nothing_captured() || stream_tail(stream, per_thread, &context, &tail) != CUDA_SUCCESS)
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC};
	parameters.alloc.bytesize = bytes;
	parameters.alloc.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
	parameters.alloc.poolProps.location =
		(CUmemLocation){.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = context->device};
	if (!capture_node(stream, per_thread, &parameters, result)) {
		*result = capture_forbids(); /* a pool may have to grow for it */
		return *result != CUDA_SUCCESS;
	}
	if (*result == CUDA_SUCCESS)
		*out = parameters.alloc.dptr;
	return true;
}

static bool allocated_in(CUgraph graph, CUdeviceptr address)
{
	bool allocated = false;
	for (size_t i = 0; i < graph->node_count; i++) {
		const CUgraphNodeParams *parameters = &graph->nodes[i]->parameters;
		if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && parameters->alloc.dptr == address)
			allocated = true;
		if (parameters->type == CU_GRAPH_NODE_TYPE_MEM_FREE && parameters->free == address)
			allocated = false;
	}
	return allocated;
}

bool capture_free(CUdeviceptr address, CUstream stream, bool per_thread, CUresult *result)
{
	if (nothing_captured())
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_MEM_FREE, .free = address};
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = allocated_in(found->capture->graph, address) ? capture_add(found, &parameters)
								       : CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_unlock(&capture_lock);
	return found || *result != CUDA_SUCCESS;
}
