/*
 * The calls that launch something, each in its form for either default stream. A call that has nothing to wait for ends in a
 * jump to the driver, with its arguments where they were; the others go round by pace.c.
 */
#include "graph.h"
#include "pace.h"
#include "shim.h"

/* paced_<symbol>: the long way. `key` tells the kind of what is launched, `stream` where it runs, `sparing` whether events
 * around it would be in its way. */
#define LONG_WAY(symbol, per_thread, key, stream, sparing, parameters, arguments)   \
	__attribute__((noinline, cold)) CUresult paced_##symbol parameters;         \
	CUresult paced_##symbol parameters                                          \
	{                                                                           \
		struct paced paced = pace_before(key, stream, per_thread, sparing); \
		return pace_after(&paced, cuda_table.symbol arguments);             \
	}

#define PASSES(key) __builtin_expect(current_holds() && (pace_free() || pace_paid(key)), 1)

/* direct_<symbol>, which the table of wrappers leads to. */
#define LAUNCH(symbol, per_thread, key, stream, sparing, parameters, arguments)               \
	LONG_WAY(symbol, per_thread, key, stream, sparing, parameters, arguments)             \
	CUresult direct_##symbol parameters                                                   \
	{                                                                                     \
		return PASSES(key) ? cuda_table.symbol arguments : paced_##symbol arguments; \
	}

#define SIZE_PARAMETERS                                                                                        \
	unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x, unsigned int block_y, \
		unsigned int block_z
#define SIZE grid_x, grid_y, grid_z, block_x, block_y, block_z
#define KERNEL estimate_key((uint64_t)(uintptr_t)function, grid_x, grid_y, grid_z, block_x, block_y)

/*
 * The same for calls with more arguments than registers. Those on the stack are in their place already; compilers copy them
 * there once more and save registers for it, which costs more than all the rest. So there the short way is declared with
 * the arguments in registers alone, which is what it looks at: as it ends in a jump, the others stay where they are.
 */
#define FIRST_PARAMETERS                                                                                          \
	CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x, \
		unsigned int block_y
#define FIRST function, grid_x, grid_y, grid_z, block_x, block_y
#if defined(__x86_64__)
#define IN_REGISTERS (FIRST_PARAMETERS)
#define REGISTERS (FIRST)
#elif defined(__aarch64__)
#define IN_REGISTERS (FIRST_PARAMETERS, unsigned int block_z, unsigned int shared_bytes)
#define REGISTERS (FIRST, block_z, shared_bytes)
#endif

#if defined(IN_REGISTERS) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined __has_attribute && __has_attribute(musttail)
#define LEAVE_BY __attribute__((musttail)) return
#else
#define LEAVE_BY return
#endif
/* A compiler without that attribute leaves by a jump when it optimises, which CMakeLists.txt sees to, and when it has nothing
 * to count behind the call, be it for a profile or for a debugger. */
#define LEAVING __attribute__((no_instrument_function, no_profile_instrument_function))
/* The long way is read from memory, so that no compiler knows its other arguments. */
#define WIDE_LAUNCH(symbol, per_thread, parameters, arguments)                                     \
	LONG_WAY(symbol, per_thread, KERNEL, stream, false, parameters, arguments)                 \
	typedef CUresult first_of_##symbol IN_REGISTERS;                                           \
	static first_of_##symbol *const volatile long_##symbol = (first_of_##symbol *)(void *)paced_##symbol; \
	LEAVING CUresult short_##symbol IN_REGISTERS __asm__("direct_" #symbol);                   \
	CUresult short_##symbol IN_REGISTERS                                                       \
	{                                                                                          \
		if (PASSES(KERNEL))                                                                \
			LEAVE_BY((first_of_##symbol *)(void *)cuda_table.symbol) REGISTERS;        \
		LEAVE_BY long_##symbol REGISTERS;                                                  \
	}
#else
#define WIDE_LAUNCH(symbol, per_thread, parameters, arguments) \
	LAUNCH(symbol, per_thread, KERNEL, stream, false, parameters, arguments)
#endif

#define PLAIN_PARAMETERS                                                                                      \
	(CUfunction function, SIZE_PARAMETERS, unsigned int shared_bytes, CUstream stream, void **parameters, \
	 void **extra)
#define PLAIN_ARGUMENTS (function, SIZE, shared_bytes, stream, parameters, extra)

WIDE_LAUNCH(cuLaunchKernel, false, PLAIN_PARAMETERS, PLAIN_ARGUMENTS)
WIDE_LAUNCH(cuLaunchKernel_ptsz, true, PLAIN_PARAMETERS, PLAIN_ARGUMENTS)

#define COOPERATIVE_PARAMETERS \
	(CUfunction function, SIZE_PARAMETERS, unsigned int shared_bytes, CUstream stream, void **parameters)
#define COOPERATIVE_ARGUMENTS (function, SIZE, shared_bytes, stream, parameters)

WIDE_LAUNCH(cuLaunchCooperativeKernel, false, COOPERATIVE_PARAMETERS, COOPERATIVE_ARGUMENTS)
WIDE_LAUNCH(cuLaunchCooperativeKernel_ptsz, true, COOPERATIVE_PARAMETERS, COOPERATIVE_ARGUMENTS)

/* Without a configuration the driver says what is wrong. */
static inline uint64_t extended_key(const CUlaunchConfig *config, CUfunction function)
{
	return config ? estimate_key((uint64_t)(uintptr_t)function, config->gridDimX, config->gridDimY, config->gridDimZ,
				     config->blockDimX, config->blockDimY)
		      : 0;
}

/* Kernels that begin before the one before them has ended: events between them would keep them apart. */
static bool overlaps(const CUlaunchConfig *config)
{
	for (unsigned int i = 0; config && config->attrs && i < config->numAttrs; i++)
		if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION ||
		    config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT)
			return true;
	return false;
}

#define EXTENDED_PARAMETERS (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra)
#define EXTENDED_ARGUMENTS (config, function, parameters, extra)
#define EXTENDED_STREAM (config ? config->hStream : NULL)

LAUNCH(cuLaunchKernelEx, false, extended_key(config, function), EXTENDED_STREAM, overlaps(config), EXTENDED_PARAMETERS,
       EXTENDED_ARGUMENTS)
LAUNCH(cuLaunchKernelEx_ptsz, true, extended_key(config, function), EXTENDED_STREAM, overlaps(config),
       EXTENDED_PARAMETERS, EXTENDED_ARGUMENTS)

/* The oldest forms: the blocks' shape is the function's own, and the stream the legacy one where there is none. */
#define GRID (uint64_t)(uintptr_t)function, (unsigned int)width, (unsigned int)height, 1, 0, 0

LAUNCH(cuLaunch, false, estimate_key((uint64_t)(uintptr_t)function, 1, 1, 1, 0, 0), NULL, false,
       (CUfunction function), (function))
LAUNCH(cuLaunchGrid, false, estimate_key(GRID), NULL, false, (CUfunction function, int width, int height),
       (function, width, height))
LAUNCH(cuLaunchGridAsync, false, estimate_key(GRID), stream, false,
       (CUfunction function, int width, int height, CUstream stream), (function, width, height, stream))


/* A graph may also take memory, which only those do that have allocation nodes. */
#define GRAPH_LAUNCH(symbol, per_thread)                                                                           \
	LONG_WAY(symbol, per_thread, graph_key(exec), stream, false, (CUgraphExec exec, CUstream stream),          \
		 (exec, stream))                                                                                   \
	static CUresult timed_##symbol(CUgraphExec exec, CUstream stream)                                          \
	{                                                                                                          \
		if (PASSES(graph_key(exec)))                                                                       \
			return cuda_table.symbol(exec, stream);                                                    \
		graph_expect(exec);                                                                                \
		return paced_##symbol(exec, stream);                                                               \
	}                                                                                                          \
	CUresult direct_##symbol(CUgraphExec exec, CUstream stream)                                                \
	{                                                                                                          \
		if (__builtin_expect(!atomic_load_explicit(&graphs_with_memory, memory_order_relaxed), 1))         \
			return timed_##symbol(exec, stream);                                                       \
		return graph_launch(timed_##symbol, exec, stream, per_thread);                                     \
	}

GRAPH_LAUNCH(cuGraphLaunch, false)
GRAPH_LAUNCH(cuGraphLaunch_ptsz, true)

/* Each device pays for its part: the one that its stream belongs to, which the calling thread's context need not be. */
static bool enter(const CUDA_LAUNCH_PARAMS *launch)
{
	CUcontext context;
	bool entered = cuda_table.cuStreamGetCtx(launch->hStream, &context) == CUDA_SUCCESS &&
		       cuda_table.cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
	current_forget();
	return entered;
}

static void leave(void)
{
	CUcontext context;
	cuda_table.cuCtxPopCurrent_v2(&context);
	current_forget();
}

static struct paced pace_part(const CUDA_LAUNCH_PARAMS *launch)
{
	struct paced paced = {.stream = launch->hStream};
	if (!enter(launch))
		return paced;
	paced = pace_before(estimate_key((uint64_t)(uintptr_t)launch->function, launch->gridDimX, launch->gridDimY,
					 launch->gridDimZ, launch->blockDimX, launch->blockDimY),
			    launch->hStream, false, false);
	leave();
	return paced;
}

static void settle_part(const CUDA_LAUNCH_PARAMS *launch, const struct paced *paced, CUresult result)
{
	bool entered = enter(launch);
	pace_after(paced, result);
	if (entered)
		leave();
}

CUresult direct_cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *launches, unsigned int count,
						     unsigned int flags)
{
	struct paced paced[HETERO_DEVICES];
	unsigned int parts = !launches ? 0 : count < HETERO_DEVICES ? count : HETERO_DEVICES;
	for (unsigned int i = 0; i < parts; i++)
		paced[i] = pace_part(&launches[i]);
	CUresult result = cuda_table.cuLaunchCooperativeKernelMultiDevice(launches, count, flags);
	for (unsigned int i = 0; i < parts; i++)
		settle_part(&launches[i], &paced[i], result);
	return result;
}
