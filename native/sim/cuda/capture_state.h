/* The captures under way in this process, the streams in them and the events that were recorded there (capture.c). */
#ifndef HETERO_SIM_CUDA_CAPTURE_STATE_H
#define HETERO_SIM_CUDA_CAPTURE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "capture.h"
#include "graph.h"

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

/* The three lists, and how much there is in them; all is read and written under the lock, except the last. */
extern pthread_mutex_t capture_lock;
extern struct capture *captures_open;
extern struct captured_stream *captured_streams;
extern struct captured_event *captured_events;
extern _Atomic int capture_entries;

static inline bool nothing_captured(void)
{
	return !atomic_load_explicit(&capture_entries, memory_order_relaxed);
}

/* The stream that a handle means: the special ones for NULL. */
CUstream capture_name(CUstream stream, bool per_thread);

/* Adds what is not there yet; false without memory. */
bool node_set_merge(struct node_set *set, const struct node_set *more);

/* All of these with the lock held. The context counts for the default stream of a thread alone. */
struct captured_stream *captured_find(CUstream stream, CUcontext context);
struct captured_stream *captured_join(struct capture *capture, CUstream stream, CUcontext context);
void captured_leave(struct captured_stream **link);
void capture_over(struct capture *capture);
/* The stream's entry, or NULL with CUDA_SUCCESS when it is not captured. */
struct captured_stream *captured_look_up(CUstream stream, bool per_thread, CUresult *result);
/* Makes a node behind what the stream has queued last. */
CUresult capture_add(struct captured_stream *stream, CUgraphNodeParams *parameters);

#endif
