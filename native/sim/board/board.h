/*
 * What the simulated management libraries of several vendors share: a machine that is a directory, which an
 * environment variable names (each library has its own), and which all processes see alike.
 *
 *   <directory>/cards.conf   what the machine has: `key = value` lines, "[card]" begins a card, # begins a comment line
 *   <directory>/state        what has been made of it since, in the library's own struct
 *   <directory>/faults       what is to go wrong (see board_fault_of)
 *   <directory>/root/        the machine's files: device nodes, /sys, directories of configuration
 *
 * A library is single-minded: it opens one board.  Any number of threads and processes may call at the same time.
 */
#ifndef HETERO_SIM_BOARD_H
#define HETERO_SIM_BOARD_H

#include <stdbool.h>
#include <stddef.h>

#define BOARD_CARDS 64
#define BOARD_MACHINE (-1) /* in place of a card's number: the lines above the first card */

struct board;

/*
 * The machine as cards.conf tells it now; to be called at every entry point.  What it returned before stays valid.
 * NULL: the variable is unset, or the file cannot be read or understood (which is told on stderr, once for each state
 * of the file): the driver is not loaded.
 */
struct board *board_open(const char *variable);

unsigned board_cards(const struct board *board);
/* The value of the last line with this key; the fallback when there is none, or when it is no number or no flag. */
const char *board_text(const struct board *board, int card, const char *key, const char *fallback);
long long board_number(const struct board *board, int card, const char *key, long long fallback); /* 0x… as well */
bool board_flag(const struct board *board, int card, const char *key, bool fallback);             /* on or off */

/* A path below the machine's directory, such as "root/dev/x".  Returns out, which is empty when it would be too long. */
const char *board_path(const struct board *board, char out[4096], const char *below);
/* A file of the machine with this text, and the directories above it; replaces at one stroke.  False: see errno. */
bool board_put(const struct board *board, const char *below, const char *text);
/* It is gone afterwards, whether or not it was there. */
void board_drop(const struct board *board, const char *below);

/*
 * The state, mapped and locked against all other threads and processes until board_unlock; zero where nobody has
 * written.  A process that dies holding it leaves the lock free and the state as it was at that moment, so write the
 * member last that makes an entry count.  NULL: there is no such file and none can be made; nothing is locked then.
 */
void *board_lock(struct board *board, size_t size);
void board_unlock(struct board *board);

struct board_fault {
	bool fails;      /* return `code` and do nothing */
	bool dies_after; /* call board_die() when the call has had its effect */
	bool garbage;    /* succeed, with nonsense in the results */
	int code;
};

/*
 * What is to become of this call, by the lines
 *
 *   CALL N ACTION [ARG]
 *
 * of the file `faults`: the Nth call of CALL in each process since the line was read, * for every one; a CALL of *
 * means all calls together.  ACTION is `fail CODE`, `stall MILLISECONDS`, `hang` (for good), `die` (SIGKILL, before
 * the call has had an effect), `die-after` or `garbage`.  The first line that fits is carried out; stalling, hanging
 * and dying before happen in here.  The file is read anew, and counting begins anew, when it changes.  One that cannot
 * be understood is told on stderr and asks for nothing.
 */
struct board_fault board_fault_of(const struct board *board, const char *call);
_Noreturn void board_die(void);

#endif
