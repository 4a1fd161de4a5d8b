/* The part of a device's processors that a client of MPS is held to (mps.c). */
#ifndef HETERO_SHIM_MPS_H
#define HETERO_SHIM_MPS_H

#include <stdbool.h>

/* Tells the account of this device, once, to what part of it MPS holds this process. Needs a current context. */
void mps_tell(unsigned position);

/* True when MPS holds this process to a part of the device. */
bool mps_confines(unsigned position);

#endif
