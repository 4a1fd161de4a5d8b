/*
 * Captures. A stream joins one when it begins there, or when it waits for an event that was recorded in one; what it has
 * queued last is what its next node depends on.
 *
 * Source: what an H100 (driver 580.159.04) answered to each of these calls, 2026-11-27.
 */
#include "capture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define LEGACY ((CUstream)0x1)
#define PER_THREAD ((CUstream)0x2)
#define EXTERNAL 1u /* of an event: a node of the graph, no mark of the capture */

struct node_set {
	CUgraphNode *nodes;
	size_t count, room;
};

struct capture {
	struct capture *next;
	cuuint64_t id;
	CUgraph graph;
	bool own_graph;   /* made for this capture, not given by the program */
	bool spoiled;
	CUstreamCaptureMode mode;
	pthread_t thread;
	CUstream origin;
};

struct captured_stream {
	struct captured_stream *next;
	struct capture *capture;
	CUstream stream;
	CUcontext context;
	bool blocking;
	struct node_set last;
};

struct captured_event {
	struct captured_event *next;
	CUevent event;
	struct capture *capture; /* NULL once it has ended */
	struct node_set last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct capture *captures;
static struct captured_stream *streams;
static struct captured_event *events;
static _Atomic int entries; /* of the three lists */

static bool nothing_captured(void)
{
	return !atomic_load_explicit(&entries, memory_order_relaxed);
}

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

static CUstream named(CUstream stream, bool per_thread)
{
	return stream ? stream : per_thread ? PER_THREAD : LEGACY;
}

static bool merge(struct node_set *set, const struct node_set *more)
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
	merge(set, &(struct node_set){.nodes = &node, .count = 1});
}

/* --- the lists, with the lock held */

static struct captured_stream *find_stream(CUstream stream, CUcontext context)
{
	struct captured_stream *found = streams;
	while (found && (found->stream != stream || (stream == PER_THREAD && found->context != context)))
		found = found->next;
	return found;
}

static struct captured_event *find_event(CUevent event)
{
	struct captured_event *found = events;
	while (found && found->event != event)
		found = found->next;
	return found;
}

static struct captured_stream *join(struct capture *capture, CUstream stream, CUcontext context)
{
	struct captured_stream *joined = calloc(1, sizeof *joined);
	if (!joined)
		return NULL;
	*joined = (struct captured_stream){.next = streams, .capture = capture, .stream = stream, .context = context,
					   .blocking = stream == PER_THREAD || !(stream->flags & CU_STREAM_NON_BLOCKING)};
	streams = joined;
	atomic_fetch_add(&entries, 1);
	return joined;
}

static void leave(struct captured_stream **link)
{
	struct captured_stream *left = *link;
	*link = left->next;
	free(left->last.nodes);
	free(left);
	atomic_fetch_sub(&entries, 1);
}

static void end_capture(struct capture *capture)
{
	for (struct captured_stream **link = &streams; *link;)
		if ((*link)->capture == capture)
			leave(link);
		else
			link = &(*link)->next;
	for (struct captured_event *event = events; event; event = event->next)
		if (event->capture == capture)
			event->capture = NULL;
	struct capture **link = &captures;
	while (*link != capture)
		link = &(*link)->next;
	*link = capture->next;
	free(capture);
	atomic_fetch_sub(&entries, 1);
}

static void forget_event(CUevent event)
{
	struct captured_event **link = &events;
	while (*link && (*link)->event != event)
		link = &(*link)->next;
	struct captured_event *gone = *link;
	if (!gone)
		return;
	*link = gone->next;
	free(gone->last.nodes);
	free(gone);
	atomic_fetch_sub(&entries, 1);
}

void capture_forget_event(CUevent event)
{
	if (nothing_captured())
		return;
	pthread_mutex_lock(&lock);
	forget_event(event);
	pthread_mutex_unlock(&lock);
}

/* With its origin a capture goes too. */
void capture_forget_stream(CUstream stream)
{
	if (nothing_captured())
		return;
	pthread_mutex_lock(&lock);
	struct captured_stream *found = find_stream(stream, NULL);
	if (found && found->capture->origin == stream) {
		if (found->capture->own_graph)
			graph_end(found->capture->graph);
		end_capture(found->capture);
	} else if (found) {
		struct captured_stream **link = &streams;
		while (*link != found)
			link = &(*link)->next;
		leave(link);
	}
	pthread_mutex_unlock(&lock);
}

/* The default stream waits for all blocking streams, and so would be part of a capture of any. */
static bool spoil_blocking(CUcontext context)
{
	bool any = false;
	for (struct captured_stream *stream = streams; stream; stream = stream->next)
		if (stream->blocking && stream->context == context)
			any = stream->capture->spoiled = true;
	return any;
}

/* --- what a call finds */

/* The stream's entry, or NULL with CUDA_SUCCESS when it is not captured. With the lock held. */
static struct captured_stream *look_up(CUstream stream, bool per_thread, CUresult *result)
{
	CUcontext context = NULL;
	uint64_t tail;
	*result = stream_tail(stream, per_thread, &context, &tail);
	if (*result != CUDA_SUCCESS)
		return NULL;
	if (named(stream, per_thread) == LEGACY) {
		*result = spoil_blocking(context) ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT : CUDA_SUCCESS;
		return NULL;
	}
	struct captured_stream *found = find_stream(named(stream, per_thread), context);
	if (found && found->capture->spoiled)
		*result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	return found;
}

CUresult capture_refuses(CUstream stream, bool per_thread)
{
	CUresult result = CUDA_SUCCESS;
	if (nothing_captured())
		return result;
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, &result);
	if (found && result == CUDA_SUCCESS) {
		found->capture->spoiled = true;
		result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	pthread_mutex_unlock(&lock);
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
	pthread_mutex_lock(&lock);
	for (struct capture *capture = captures; capture; capture = capture->next)
		if (forbids(capture)) {
			capture->spoiled = true;
			result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		}
	pthread_mutex_unlock(&lock);
	return result;
}

static CUresult add(struct captured_stream *stream, CUgraphNodeParams *parameters)
{
	CUgraphNode node;
	CUresult result = graph_add(&node, stream->capture->graph, stream->last.nodes, NULL, stream->last.count, parameters);
	if (result == CUDA_SUCCESS)
		replace(&stream->last, node);
	return result;
}

bool capture_node(CUstream stream, bool per_thread, CUgraphNodeParams *parameters, CUresult *result)
{
	if (nothing_captured())
		return false;
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = add(found, parameters);
	pthread_mutex_unlock(&lock);
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
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = allocated_in(found->capture->graph, address) ? add(found, &parameters)
								       : CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_unlock(&lock);
	return found || *result != CUDA_SUCCESS;
}

/* --- events */

static CUresult mark(CUevent event, const struct captured_stream *stream)
{
	forget_event(event);
	struct captured_event *marked = calloc(1, sizeof *marked);
	if (!marked || !merge(&marked->last, &stream->last)) {
		free(marked);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	marked->event = event;
	marked->capture = stream->capture;
	marked->next = events;
	events = marked;
	atomic_fetch_add(&entries, 1);
	return CUDA_SUCCESS;
}

bool capture_record(CUevent event, CUstream stream, bool per_thread, unsigned flags, CUresult *result)
{
	if (nothing_captured() || !object_is(event, EVENT))
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .event = event};
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, result);
	if (found && *result == CUDA_SUCCESS)
		*result = flags & EXTERNAL ? add(found, &parameters) : mark(event, found);
	bool taken = found || *result != CUDA_SUCCESS;
	if (!taken)
		forget_event(event);
	pthread_mutex_unlock(&lock);
	return taken;
}

/* A stream that waits for a captured event becomes part of the capture; one that is captured waits for no other. */
static CUresult wait(struct captured_stream *stream, CUstream name, CUcontext context, const struct captured_event *event,
		     CUevent asked)
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
		stream = join(event->capture, name, context);
	return stream && merge(&stream->last, &event->last) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

bool capture_wait(CUstream stream, CUevent event, bool per_thread, unsigned flags, CUresult *result)
{
	CUcontext context;
	uint64_t tail;
	if (nothing_captured() || !object_is(event, EVENT) ||
	    stream_tail(stream, per_thread, &context, &tail) != CUDA_SUCCESS)
		return false;
	CUgraphNodeParams parameters = {.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .event = event};
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, result);
	const struct captured_event *marked = find_event(event);
	bool taken = found || marked || *result != CUDA_SUCCESS;
	if (taken && *result == CUDA_SUCCESS)
		*result = found && (flags & EXTERNAL)
				  ? add(found, &parameters)
				  : wait(found, named(stream, per_thread), context, marked, event);
	pthread_mutex_unlock(&lock);
	return taken;
}

CUresult capture_event_asked(CUevent event)
{
	CUresult result = CUDA_SUCCESS;
	if (nothing_captured())
		return result;
	pthread_mutex_lock(&lock);
	struct captured_event *marked = find_event(event);
	if (marked && marked->capture && !marked->capture->spoiled) {
		marked->capture->spoiled = true;
		result = CUDA_ERROR_CAPTURED_EVENT;
	} else if (marked) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	pthread_mutex_unlock(&lock);
	return result == CUDA_SUCCESS ? capture_forbids() : result;
}

/* --- begin and end */

static CUresult begin(CUstream stream, bool per_thread, CUgraph graph, const struct node_set *after,
		      CUstreamCaptureMode mode)
{
	static cuuint64_t last_id;
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	if ((unsigned)mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	if (named(stream, per_thread) == LEGACY)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	struct capture *capture = calloc(1, sizeof *capture);
	CUgraph into = graph ? graph : graph_new();
	pthread_mutex_lock(&lock);
	bool busy = find_stream(named(stream, per_thread), context);
	struct captured_stream *joined = capture && into && !busy ? join(capture, named(stream, per_thread), context)
								  : NULL;
	if (joined && merge(&joined->last, after)) {
		*capture = (struct capture){.next = captures, .id = ++last_id, .graph = into, .own_graph = !graph,
					    .mode = mode, .thread = pthread_self(), .origin = joined->stream};
		captures = capture;
		atomic_fetch_add(&entries, 1);
	} else if (joined) {
		leave(&streams);
		joined = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (joined)
		return CUDA_SUCCESS;
	free(capture);
	if (into && !graph)
		graph_end(into);
	return busy ? CUDA_ERROR_ILLEGAL_STATE : CUDA_ERROR_OUT_OF_MEMORY;
}

static bool comes_before(CUgraph graph, CUgraphNode node, const struct node_set *last)
{
	for (size_t i = 0; i < last->count; i++)
		if (last->nodes[i] == node)
			return true;
	for (size_t i = 0; i < graph->edge_count; i++)
		if (graph->edges[i].from == node && comes_before(graph, graph->edges[i].to, last))
			return true;
	return false;
}

/* All that other streams have queued must come before what the first has. */
static bool joined_again(const struct captured_stream *origin)
{
	for (const struct captured_stream *stream = streams; stream; stream = stream->next)
		for (size_t i = 0; stream->capture == origin->capture && i < stream->last.count; i++)
			if (!comes_before(origin->capture->graph, stream->last.nodes[i], &origin->last))
				return false;
	return true;
}

static CUresult end(struct captured_stream *stream, CUgraph *graph)
{
	struct capture *capture = stream->capture;
	if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && !pthread_equal(capture->thread, pthread_self()))
		return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
	if (capture->origin != stream->stream) {
		capture->spoiled = true;
		return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
	}
	CUresult result = capture->spoiled	  ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
			  : !joined_again(stream) ? CUDA_ERROR_STREAM_CAPTURE_UNJOINED
						  : CUDA_SUCCESS;
	*graph = result == CUDA_SUCCESS ? capture->graph : NULL;
	if (result != CUDA_SUCCESS && capture->own_graph)
		graph_end(capture->graph);
	end_capture(capture);
	return result;
}

static CUresult end_of(CUstream stream, bool per_thread, CUgraph *graph)
{
	CUcontext context;
	uint64_t tail;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	if (!graph)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	struct captured_stream *found = find_stream(named(stream, per_thread), context);
	result = found ? end(found, graph) : CUDA_ERROR_ILLEGAL_STATE;
	pthread_mutex_unlock(&lock);
	return result;
}

static CUresult begin_in(CUstream stream, bool per_thread, CUgraph graph, const CUgraphNode *dependencies, size_t count,
			 CUstreamCaptureMode mode)
{
	NEED_INIT();
	if (!object_is(graph, GRAPH) || (count && !dependencies))
		return CUDA_ERROR_INVALID_VALUE;
	const struct node_set after = {.nodes = (CUgraphNode *)dependencies, .count = count};
	return begin(stream, per_thread, graph, &after, mode);
}

/* What is known of a stream; where the default stream must not be used, so. */
struct finding {
	CUstreamCaptureStatus *status;
	cuuint64_t *id;
	CUgraph *graph;
	const CUgraphNode **dependencies;
	const CUgraphEdgeData **edges;
	size_t *count;
};

static bool blocking_captured(CUcontext context)
{
	for (const struct captured_stream *stream = streams; stream; stream = stream->next)
		if (stream->blocking && stream->context == context)
			return true;
	return false;
}

static void tell(const struct captured_stream *stream, const struct finding *finding)
{
	if (!stream) {
		*finding->status = CU_STREAM_CAPTURE_STATUS_NONE;
		return;
	}
	*finding->status = stream->capture->spoiled ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
						    : CU_STREAM_CAPTURE_STATUS_ACTIVE;
	if (stream->capture->spoiled)
		return;
	if (finding->id)
		*finding->id = stream->capture->id;
	if (finding->graph)
		*finding->graph = stream->capture->graph;
	if (finding->dependencies)
		*finding->dependencies = stream->last.nodes;
	if (finding->edges)
		*finding->edges = NULL; /* all plain */
	if (finding->count)
		*finding->count = stream->last.count;
}

static CUresult ask(CUstream stream, bool per_thread, const struct finding *finding)
{
	CUcontext context;
	uint64_t tail;
	if (!finding->status)
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = stream_tail(stream, per_thread, &context, &tail);
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&lock);
	bool legacy = named(stream, per_thread) == LEGACY;
	if (legacy && blocking_captured(context))
		result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	else
		tell(legacy ? NULL : find_stream(named(stream, per_thread), context), finding);
	pthread_mutex_unlock(&lock);
	return result;
}

static CUresult update(CUstream stream, bool per_thread, CUgraphNode *dependencies, size_t count, unsigned flags)
{
	CUresult result;
	if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES || (count && !dependencies))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&lock);
	struct captured_stream *found = look_up(stream, per_thread, &result);
	if (!found && result == CUDA_SUCCESS)
		result = CUDA_ERROR_ILLEGAL_STATE;
	if (result == CUDA_SUCCESS && flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES)
		found->last.count = 0;
	if (result == CUDA_SUCCESS && !merge(&found->last, &(struct node_set){.nodes = dependencies, .count = count}))
		result = CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_unlock(&lock);
	return result;
}

/* --- the calls, each in its form for either default stream */

#define BOTH_FORMS(symbol, parameters, legacy, per_thread) \
	SIM_EXPORT CUresult symbol parameters              \
	{                                                  \
		return legacy;                             \
	}                                                  \
	SIM_EXPORT CUresult symbol##_ptsz parameters       \
	{                                                  \
		return per_thread;                         \
	}

static const struct node_set none;

BOTH_FORMS(cuStreamBeginCapture, (CUstream stream), begin(stream, false, NULL, &none, CU_STREAM_CAPTURE_MODE_GLOBAL),
	   begin(stream, true, NULL, &none, CU_STREAM_CAPTURE_MODE_GLOBAL))
BOTH_FORMS(cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode mode),
	   begin(stream, false, NULL, &none, mode), begin(stream, true, NULL, &none, mode))
BOTH_FORMS(cuStreamBeginCaptureToGraph,
	   (CUstream stream, CUgraph graph, const CUgraphNode *nodes,
	    const CUgraphEdgeData *edges __attribute__((unused)), size_t count, CUstreamCaptureMode mode),
	   begin_in(stream, false, graph, nodes, count, mode), begin_in(stream, true, graph, nodes, count, mode))
BOTH_FORMS(cuStreamEndCapture, (CUstream stream, CUgraph *graph), end_of(stream, false, graph),
	   end_of(stream, true, graph))
BOTH_FORMS(cuStreamIsCapturing, (CUstream stream, CUstreamCaptureStatus *status),
	   ask(stream, false, &(struct finding){.status = status}),
	   ask(stream, true, &(struct finding){.status = status}))
BOTH_FORMS(cuStreamGetCaptureInfo, (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id),
	   ask(stream, false, &(struct finding){.status = status, .id = id}),
	   ask(stream, true, &(struct finding){.status = status, .id = id}))
BOTH_FORMS(cuStreamGetCaptureInfo_v2,
	   (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph, const CUgraphNode **nodes,
	    size_t *count),
	   ask(stream, false, &(struct finding){status, id, graph, nodes, NULL, count}),
	   ask(stream, true, &(struct finding){status, id, graph, nodes, NULL, count}))
BOTH_FORMS(cuStreamGetCaptureInfo_v3,
	   (CUstream stream, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph, const CUgraphNode **nodes,
	    const CUgraphEdgeData **edges, size_t *count),
	   ask(stream, false, &(struct finding){status, id, graph, nodes, edges, count}),
	   ask(stream, true, &(struct finding){status, id, graph, nodes, edges, count}))
BOTH_FORMS(cuStreamUpdateCaptureDependencies,
	   (CUstream stream, CUgraphNode *nodes, size_t count, unsigned int flags),
	   update(stream, false, nodes, count, flags), update(stream, true, nodes, count, flags))
BOTH_FORMS(cuStreamUpdateCaptureDependencies_v2,
	   (CUstream stream, CUgraphNode *nodes, const CUgraphEdgeData *edges __attribute__((unused)), size_t count,
	    unsigned int flags),
	   update(stream, false, nodes, count, flags), update(stream, true, nodes, count, flags))
