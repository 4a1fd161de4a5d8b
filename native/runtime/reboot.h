/* What is left of processes when the machine has crashed; see reboot.c. */
#ifndef HETERO_REBOOT_H
#define HETERO_REBOOT_H

#include "hetero/runtime.h"

/* Which start of the machine this is; 0: not known. */
uint64_t hetero_kernel(void);

/* Marks as dead who joined a region under an earlier kernel. While nobody else opens it. */
void hetero_reboot_settle(struct hetero_region *region);

#endif
