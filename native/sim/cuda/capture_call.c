/* The calls that begin and end captures and ask about them. */
#include "capture_state.h"

#include <stdlib.h>

/* With its first stream, whose entry is the newest. */
static bool open_capture(struct capture *capture, struct captured_stream *first, const struct node_set *after)
{
	if (!first)
		return false;
	if (!node_set_merge(&first->last, after)) {
		captured_leave(&captured_streams);
		return false;
	}
	capture->next = captures_open;
	capture->thread = pthread_self();
	capture->origin = first->stream;
	captures_open = capture;
	atomic_fetch_add(&capture_entries, 1);
	return true;
}

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
	if (capture_name(stream, per_thread) == CU_STREAM_LEGACY)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	struct capture *capture = calloc(1, sizeof *capture);
	CUgraph into = graph ? graph : graph_new();
	pthread_mutex_lock(&capture_lock);
	bool busy = captured_find(capture_name(stream, per_thread), context);
	bool begun = capture && into && !busy &&
		     open_capture(capture, captured_join(capture, capture_name(stream, per_thread), context), after);
	if (begun) {
		capture->id = ++last_id;
		capture->graph = into;
		capture->own_graph = !graph;
		capture->mode = mode;
	}
	pthread_mutex_unlock(&capture_lock);
	if (begun)
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
	for (const struct captured_stream *stream = captured_streams; stream; stream = stream->next)
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
	capture_over(capture);
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
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_find(capture_name(stream, per_thread), context);
	result = found ? end(found, graph) : CUDA_ERROR_ILLEGAL_STATE;
	pthread_mutex_unlock(&capture_lock);
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
	for (const struct captured_stream *stream = captured_streams; stream; stream = stream->next)
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
	pthread_mutex_lock(&capture_lock);
	bool legacy = capture_name(stream, per_thread) == CU_STREAM_LEGACY;
	if (legacy && blocking_captured(context))
		result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	else
		tell(legacy ? NULL : captured_find(capture_name(stream, per_thread), context), finding);
	pthread_mutex_unlock(&capture_lock);
	return result;
}

static CUresult update(CUstream stream, bool per_thread, CUgraphNode *dependencies, size_t count, unsigned flags)
{
	CUresult result;
	if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES || (count && !dependencies))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&capture_lock);
	struct captured_stream *found = captured_look_up(stream, per_thread, &result);
	if (!found && result == CUDA_SUCCESS)
		result = CUDA_ERROR_ILLEGAL_STATE;
	if (result == CUDA_SUCCESS && flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES)
		found->last.count = 0;
	const struct node_set more = {.nodes = dependencies, .count = count};
	if (result == CUDA_SUCCESS && !node_set_merge(&found->last, &more))
		result = CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_unlock(&capture_lock);
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
