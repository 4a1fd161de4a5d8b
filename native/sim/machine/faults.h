/*
 * Faults on demand: a file `faults` in the machine's directory with lines
 *
 *   CALL N ACTION [ARG]     the Nth call of CALL, from when the line was read on, in each process; * for every call
 *
 * where ACTION is `fail CODE` (the driver's own number), `stall MILLISECONDS`, `hang` (for good), `die` (SIGKILL
 * before the call has had an effect), `die-after` or `garbage` (the call is carried out, and what it fills in is
 * nonsense; of the management library alone: to the others it is nothing).  A CALL of * means all calls together.
 * The first line that fits a call is carried out.  Empty lines and lines that begin with # say nothing.  A file that
 * cannot be understood is told once on stderr and asks for nothing.
 *
 * A library looks for the file at its first call, and never again if there is none.  While there is one it is read
 * anew when it changes, and then counting begins anew: to ask for faults later, begin with an empty one.
 */
#ifndef HETERO_SIM_FAULTS_H
#define HETERO_SIM_FAULTS_H

#include <stdbool.h>

struct sim_fault {
	bool fails, dies, garbage;
	int code;
};

extern int sim_faults_absent;

/* True when there is nothing to ask for; false at the first call. */
static inline bool sim_no_faults(void)
{
	return __builtin_expect(__atomic_load_n(&sim_faults_absent, __ATOMIC_RELAXED), 1);
}

/* Counts the call and says what is to become of it; stalls, and dies, itself. */
struct sim_fault sim_fault_of(const char *call);
_Noreturn void sim_die(void);

#endif
