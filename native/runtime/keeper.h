/* A thread that does nothing but live for as long as its process; see keeper.c. */
#ifndef HETERO_KEEPER_H
#define HETERO_KEEPER_H

#include "hetero/region.h"

struct hetero_keeper;

/* NULL when no thread can be had. */
struct hetero_keeper *hetero_keeper_start(void);

/* From now on `claim` is the keeper's, and the kernel marks it when the process ends. Once for each keeper. */
void hetero_keeper_claim(struct hetero_keeper *keeper, struct hetero_claim *claim);

#endif
