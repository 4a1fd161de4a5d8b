/* The local memory that functions need (functions.c). */
#ifndef HETERO_SHIM_FUNCTIONS_H
#define HETERO_SHIM_FUNCTIONS_H

#include "shim.h"

/* False when the slice has no room for the local memory that launching it in the current context takes. */
bool function_fits(CUfunction function);
bool kernel_fits(CUkernel kernel);

#endif
