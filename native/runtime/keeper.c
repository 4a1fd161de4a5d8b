/*
 * A thread that lives exactly as long as its process, so that its robust futex tells when that has ended. It is made
 * by the kernel's call and not by the C library: a library counts its threads, and a program whose main thread leaves
 * by pthread_exit is over when the last one that was counted ends. It takes no signal, needs no stack and no library,
 * and runs only the few instructions below: says to the kernel where its list of robust futexes is, wakes whoever
 * waits for that, and sleeps by the same call, so that what a sandbox allows every thread is enough for it.
 *
 * The list lies in a page of shared memory: when the kernel kills a process for want of memory, it may take the pages
 * of its own before it looks at the list.
 *
 * What remains: the process has a thread more, which keeps its credentials when others change theirs, and with which
 * calls that want a single thread (unshare of a user namespace) fail.
 */
#include "keeper.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hetero/runtime.h"

#define PAGE 4096
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

enum { READY = 1, READY_WITHOUT_LIST = 2 };

struct hetero_keeper {
	struct robust_list_head list;
	struct robust_list entry;
	uint32_t thread;
	_Atomic uint32_t ready;
};

/* The thread's id, or a negative error. The new thread never returns from here. */
#if defined(__x86_64__)
_Static_assert(SYS_set_robust_list == 273 && SYS_futex == 202, "numbers in the text below");
static long start(void *stack, struct robust_list_head *list, _Atomic uint32_t *ready)
{
	register long child asm("r10") = 0;
	register long storage asm("r8") = 0;
	long answer;
	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "mov %[list], %%rdi\n\t"
		     "mov $24, %%esi\n\t"
		     "mov $273, %%eax\n\t"
		     "syscall\n\t"
		     "mov $1, %%edx\n\t"
		     "mov $2, %%esi\n\t"
		     "test %%rax, %%rax\n\t"
		     "cmovnz %%esi, %%edx\n\t"
		     "mov %%edx, (%[ready])\n\t"
		     "mov %[ready], %%rdi\n\t"
		     "mov $1, %%esi\n\t"
		     "mov $1, %%edx\n\t"
		     "mov $202, %%eax\n\t"
		     "syscall\n"
		     "2:\n\t"
		     "mov %[ready], %%rdi\n\t"
		     "xor %%esi, %%esi\n\t"
		     "mov (%[ready]), %%edx\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "mov $202, %%eax\n\t"
		     "syscall\n\t"
		     "jmp 2b\n"
		     "1:"
		     : "=a"(answer)
		     : "0"((long)SYS_clone), "D"((long)THREAD_FLAGS), "S"(stack), "d"(0l), "r"(child), "r"(storage),
		       [list] "r"(list), [ready] "r"(ready)
		     : "rcx", "r11", "memory", "cc");
	return answer;
}
#elif defined(__aarch64__)
_Static_assert(SYS_set_robust_list == 99 && SYS_futex == 98, "numbers in the text below");
static long start(void *stack, struct robust_list_head *list, _Atomic uint32_t *ready)
{
	register long answer asm("x0") = THREAD_FLAGS;
	register void *top asm("x1") = stack;
	register long parent asm("x2") = 0;
	register long storage asm("x3") = 0;
	register long child asm("x4") = 0;
	register long number asm("x8") = SYS_clone;
	asm volatile("svc #0\n\t"
		     "cbnz x0, 1f\n\t"
		     "mov x0, %[list]\n\t"
		     "mov x1, #24\n\t"
		     "mov x8, #99\n\t"
		     "svc #0\n\t"
		     "cmp x0, #0\n\t"
		     "mov w2, #1\n\t"
		     "cinc w2, w2, ne\n\t"
		     "stlr w2, [%[ready]]\n\t"
		     "mov x0, %[ready]\n\t"
		     "mov x1, #1\n\t"
		     "mov x2, #1\n\t"
		     "mov x8, #98\n\t"
		     "svc #0\n"
		     "2:\n\t"
		     "mov x0, %[ready]\n\t"
		     "mov x1, #0\n\t"
		     "ldr w2, [%[ready]]\n\t"
		     "mov x3, #0\n\t"
		     "mov x8, #98\n\t"
		     "svc #0\n\t"
		     "b 2b\n"
		     "1:"
		     : "+r"(answer)
		     : "r"(top), "r"(parent), "r"(storage), "r"(child), "r"(number), [list] "r"(list),
		       [ready] "r"(ready)
		     : "memory", "cc");
	return answer;
}
#else
#error "write down for this processor how a thread is started without a library"
#endif

/* All 64 signals, those that the C library keeps for itself as well: the thread has no stack for a handler. */
static long start_without_signals(struct hetero_keeper *keeper)
{
	uint64_t all = UINT64_MAX, before;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
	long answer = start((char *)keeper + PAGE, &keeper->list, &keeper->ready);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
	return answer;
}

static struct hetero_keeper *make(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	madvise(page, PAGE, MADV_DONTFORK);
	struct hetero_keeper *keeper = page;
	keeper->list.list.next = &keeper->list.list;
	return keeper;
}

struct hetero_keeper *hetero_keeper_start(void)
{
	struct hetero_keeper *keeper = make();
	long thread = keeper ? start_without_signals(keeper) : -1;
	if (thread <= 0) {
		if (keeper)
			munmap(keeper, PAGE);
		return NULL;
	}
	keeper->thread = (uint32_t)thread;
	while (!atomic_load(&keeper->ready))
		syscall(SYS_futex, &keeper->ready, FUTEX_WAIT, 0, NULL, NULL, 0);
	if (atomic_load(&keeper->ready) == READY_WITHOUT_LIST)
		hetero_log(HETERO_WARNING, "this system has no robust futexes; the end of a process is not noticed");
	return keeper;
}

/* The kernel reads the list in its own time: it is whole at every moment. */
void hetero_keeper_claim(struct hetero_keeper *keeper, struct hetero_claim *claim)
{
	keeper->list.futex_offset = (char *)&claim->word - (char *)&keeper->entry;
	keeper->entry.next = &keeper->list.list;
	atomic_store(&claim->word, keeper->thread);
	atomic_signal_fence(memory_order_seq_cst);
	keeper->list.list.next = &keeper->entry;
}
