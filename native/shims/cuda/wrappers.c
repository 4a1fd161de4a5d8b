/*
 * The exported functions, generated from the ABI lists, and the table through which each of them jumps. An entry begins as a function
 * that opens the driver; from then on it is the driver's own function in a process that is in no slice, and a hook in
 * one that is. So a call costs one jump where nothing has to stand in its way.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "shim.h"

/* One row of the table: its place there and in the driver's own functions, and what stands there instead of them. */
struct entry {
	size_t place, real;
	void *inside, *missing;
};

/*
 * An exported function: a jump through its place in the table, which leaves all arguments where they are. In C, a compiler
 * may copy those on the stack. Where the memory of a machine needs it, what the table's pointer leads to is loaded after it.
 */
#if defined(__x86_64__)
#define JUMP_THROUGH(offset) "\tjmp *dispatch+" offset "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP_THROUGH(offset)                  \
	"\tadrp x16, dispatch+" offset "\n"   \
	"\tadd x16, x16, :lo12:dispatch+" offset "\n" \
	"\tldar x16, [x16]\n"                 \
	"\tbr x16\n"
#endif
#define JUMP(symbol, offset)                                                                    \
	__asm__(".text\n\t.p2align 4\n\t.globl " #symbol "\n\t.type " #symbol ", %function\n" #symbol \
		":\n" JUMP_THROUGH(offset) "\t.size " #symbol ", .-" #symbol "\n");

static void dispatch_prepare_cuda(void);
static void dispatch_prepare_nvml(void);

#include "wrappers.inc"

static void *chosen(const struct entry *entry, const void *real)
{
	void *own = *(void *const *)((const char *)real + entry->real);
	if (!own)
		return entry->missing;
	return slice_limits() ? entry->inside : own;
}

static void fill(const struct entry *entries, size_t count, const void *real)
{
	for (size_t i = 0; i < count; i++) {
		void *_Atomic *function = (void *)((char *)&dispatch + entries[i].place);
		atomic_store_explicit(function, chosen(&entries[i], real), memory_order_release);
	}
}

static void fill_cuda(void)
{
	fill(cuda_entries, sizeof cuda_entries / sizeof *cuda_entries, cuda_real());
}

static void fill_nvml(void)
{
	fill(nvml_entries, sizeof nvml_entries / sizeof *nvml_entries, nvml_real());
}

static void dispatch_prepare_cuda(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, fill_cuda);
}

static void dispatch_prepare_nvml(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, fill_nvml);
}
