/* How each call of the simulated libhydmi begins and ends. */
#ifndef HETERO_SIM_HYDMI_HYDMI_H
#define HETERO_SIM_HYDMI_HYDMI_H

#include "vdev.h"

struct call {
	struct board *board;
	struct board_fault fault;
	dmiStatus status; /* other than success: return it and do nothing */
};

/* Initialises the library on the first call, and looks whether this one is to fail. */
struct call call_begin(const char *name);
/* The same for a call that changes something, which takes root. */
struct call call_change(const char *name);
/* The status, unless the process is to die now that the call has had its effect. */
dmiStatus call_end(const struct call *call, dmiStatus status);
bool call_has_card(const struct call *call, int card, dmiStatus *status);

#endif
