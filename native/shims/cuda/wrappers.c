/* The exported functions, generated from the ABI lists. */
#include "shim.h"

#include "wrappers.inc"
