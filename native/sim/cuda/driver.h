/*
 * The simulated driver inside one process: what cuInit found, and the objects
 * behind the handles.  One mutex guards all of it; waiting is done without it.
 */
#ifndef HETERO_SIM_CUDA_DRIVER_H
#define HETERO_SIM_CUDA_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../machine/machine.h"
#include "cuda_abi.h"

#define SIM_EXPORT __attribute__((visibility("default")))

#define SIM_THREADS_PER_SM 1536

enum kind { CONTEXT = 0x43545853, STREAM = 0x5354524d, EVENT = 0x45564e54, MODULE = 0x4d4f4455, FUNCTION = 0x46554e43,
	    POOL = 0x504f4f4c, ARRAY = 0x41525259, GRAPH = 0x47525048, GRAPH_NODE = 0x474e4f44,
	    GRAPH_EXEC = 0x47455845, LIBRARY = 0x4c494252, KERNEL = 0x4b45524e,
	    EXTERNAL = 0x4558544d, GREEN = 0x4752454e };

/*
 * First member of all that a handle points to.  Objects are never returned to
 * the allocator but kept for the next of their kind, so that a stale handle is
 * told from a live one without touching freed memory.
 */
struct object {
	uint32_t kind; /* 0 once destroyed */
	struct object *next_free;
};

struct allocation;

/* cuCtxSetLimit, and what of the card that took (limit.c). */
struct context_limits {
	uint64_t stack, printf, heap; /* bytes; 0: not set */
	uint64_t local_taken, heap_taken;
};

struct CUctx_st {
	struct object object;
	struct CUctx_st *next;        /* all live contexts of the process */
	CUdevice device;
	unsigned flags;
	unsigned api_version;
	unsigned attached;            /* uses by cuCtxAttach, beside that of whoever made it */
	uint64_t tail;                /* ticket of the last work of any stream */
	uint64_t blocking_tail;       /* the same of the streams that the default stream waits for */
	uint64_t legacy_tail;         /* of the default stream */
	uint64_t per_thread_tail;
	struct allocation *allocations;
	struct CUstream_st *streams;
	struct CUmod_st *modules;
	struct context_limits limits;
};

struct CUstream_st {
	struct object object;
	struct CUstream_st *next;
	CUcontext context;
	unsigned flags;
	int priority;
	uint64_t tail;                /* ticket of its last work */
};

struct CUevent_st {
	struct object object;
	CUcontext context;
	unsigned flags;
	bool recorded;
	uint64_t ticket;              /* of the work before it, while that has not ended; 0 afterwards */
	uint64_t at_ns;               /* when it was recorded; once the work before it has ended, when it happened */
	CUevent next, *link;          /* in the list of those that wait for the same work */
};

struct CUfunc_st {
	struct object object;
	struct CUfunc_st *next;
	CUmodule module;
	uint64_t local_bytes;         /* of one thread */
	unsigned parameters;          /* that the simulator reads */
	uint64_t drawn;               /* times that were drawn for a function of varying time */
	char name[128];
};

struct CUmod_st {
	struct object object;
	struct CUmod_st *next;
	CUcontext context;
	struct CUfunc_st *functions;
	char *text;                   /* the image when it is text, else NULL */
	uint64_t taken;               /* of the card, for the variables in it */
	CUdeviceptr variables;        /* where they begin */
	CUlibrary library;            /* that it was loaded for; NULL: by itself */
};

struct driver {
	pthread_mutex_t lock;
	bool ready;
	struct sim_machine machine;
	struct sim_process *process;
	int device_count;
	uint32_t card_of[SIM_CARDS];  /* card of each visible device */
	struct primary {
		CUcontext context;
		unsigned uses, flags;
	} primary[SIM_CARDS];
	CUcontext contexts;
};

extern struct driver driver;

void driver_lock(void);
void driver_unlock(void);

void *object_new(enum kind kind, size_t size);
void object_end(void *object);
static inline bool object_is(const void *object, enum kind kind)
{
	return object && ((const struct object *)object)->kind == (uint32_t)kind;
}

/* 1000 * major + 10 * minor: the lesser of what the machine says and what this library is. */
int driver_version(void);
/* CUDA_SUCCESS when cuInit succeeded in this process. */
CUresult driver_ready(void);
/* Fills the devices that CUDA_VISIBLE_DEVICES lets this process see. */
void driver_find_visible(void);

static inline bool device_exists(CUdevice device)
{
	return device >= 0 && device < driver.device_count;
}

static inline const struct sim_card_config *device_card(CUdevice device)
{
	return &driver.machine.config.cards[driver.card_of[device]];
}

/* The context current to this thread: CUDA_ERROR_INVALID_CONTEXT if there is none. */
CUresult current_context(CUcontext *context);
CUresult ready_device(CUdevice device);

/* What goes with a context, with the driver's lock held. */
void memory_forget_context(CUcontext context);
void modules_forget_context(CUcontext context);
void streams_forget_context(CUcontext context);

/* Memory that a graph's allocation node made and that outlives its launch: false when the address is none of it. */
bool graph_memory_free(CUdeviceptr address);
bool graph_memory_covers(CUdeviceptr address, size_t bytes); /* with the driver's lock held */

/* How long a kernel takes with these parameters; what is wrong with them otherwise. */
CUresult kernel_duration(const CUDA_KERNEL_NODE_PARAMS_v2 *kernel, uint64_t *ns);
/* Of how many of its arguments (64 bits each) its time depends. */
unsigned kernel_argument_count(CUfunction function);
unsigned kernel_parameters(const char *name);
/* What one launch with these arguments takes. */
CUresult kernel_time(CUfunction function, void **parameters, void **extra, uint64_t *ns);
void limits_forget_context(CUcontext context);

/* Modules, with the driver's lock held (launch.c): NULL and CUDA_ERROR_OUT_OF_MEMORY when the card has no room. */
CUresult module_open(CUmodule *out, CUcontext context, const char *image);
void module_close(CUmodule module);
CUfunction module_function(CUmodule module, const char *name);

/* The function that a handle stands for in a context: itself, or that of a library's kernel; NULL if it is neither. */
CUfunction library_function(CUfunction handle, CUcontext context);

/* What the card must have for threads with so much local memory each; and, with the lock held, for modules' heap. */
bool limits_need_local(CUcontext context, uint64_t bytes);
bool limits_need_heap(CUcontext context);

/* Images are not compiled, but the declarations in one that is PTX are read (image.c). */
bool image_is_text(const char *image);
/* Bytes of all variables; of the local memory of a thread of a function. */
uint64_t image_variables(const char *text);
uint64_t image_local(const char *text, const char *function);
/* Where a variable lies among them; false when there is none of the name. */
bool image_variable(const char *text, const char *name, uint64_t *offset, uint64_t *bytes);

/* The host has waited for the card: what pools need no more goes back. */
void memory_synchronized(CUcontext context);

/* True when the whole range lies in one live allocation or mapping. */
bool memory_covers(CUdeviceptr address, size_t bytes);

/*
 * Streams.  `stream` may be NULL or one of the two special handles; `per_thread`
 * says what NULL means.  A stream is the ticket of its last work: those of one card
 * end in the order in which they were queued.
 */
CUresult stream_tail(CUstream stream, bool per_thread, CUcontext *context, uint64_t *tail);
/* Queues work of so many nanoseconds at the end of a stream. */
CUresult stream_run(CUstream stream, bool per_thread, uint64_t duration_ns);

/*
 * What this process has queued, by tickets.  `timeline_run` queues work on a card that starts
 * after that of another ticket; it blocks while the queue is full.
 */
uint64_t timeline_run(uint32_t card, uint64_t duration_ns, uint64_t after);
bool timeline_ended(uint64_t ticket);
void timeline_wait(uint64_t ticket);
/* Ties an event to the end of a work, or takes it off again; it must be off to be recorded or destroyed. */
void timeline_record(CUevent event, uint64_t ticket);
void timeline_release(CUevent event);
/* Of the work that the event waits for, 0 when it has happened or was never recorded. */
uint64_t timeline_ticket(CUevent event);
/* True when the event has happened: its time is known then. */
bool timeline_happened(CUevent event);
/* What a call that says "not ready" costs who asks again and again, on the virtual clock. */
void timeline_spend_query(void);

/* Begins an entry point that needs cuInit, and one that needs a current context as well. */
#define NEED_INIT()                                        \
	do {                                               \
		CUresult ready_result = driver_ready();    \
		if (ready_result != CUDA_SUCCESS)          \
			return ready_result;               \
	} while (0)

#define NEED_CONTEXT(name)                                 \
	CUcontext name;                                    \
	do {                                               \
		CUresult context_result = current_context(&name); \
		if (context_result != CUDA_SUCCESS)        \
			return context_result;             \
	} while (0)

#endif
