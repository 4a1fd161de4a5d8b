/* How each call of the simulated librocm_smi64 begins and ends. */
#ifndef HETERO_SIM_HYDMI_SMI_H
#define HETERO_SIM_HYDMI_SMI_H

#include "dcu.h"
#include "rocm_smi_abi.h"

struct smi {
	struct board *board;
	struct board_fault fault;
	rsmi_status_t status; /* other than success: return it and do nothing */
};

struct smi smi_begin(const char *name);
/* The same for a call about a card, with the place of its result. */
struct smi smi_of(const char *name, uint32_t card, const void *result);
/* The status, unless the process is to die now that the call has had its effect. */
rsmi_status_t smi_end(const struct smi *call, rsmi_status_t status);

#endif
