/* What the files about instances share. */
#ifndef HETERO_SIM_NVML_INSTANCE_H
#define HETERO_SIM_NVML_INSTANCE_H

#include "library.h"

/* By the id that a profile's description has; NULL when the card has no such profile. */
const struct sim_profile *profile_by_id(const struct sim_card_config *card, unsigned id);

/* What is behind a handle, with the machine's lock held; NULL when it is none, or no longer. */
struct sim_gpu_instance *gpu_instance(nvmlGpuInstance_t handle);
struct sim_compute_instance *compute_instance(nvmlComputeInstance_t handle);

/* Carries out a question about an instance with the lock held. */
#define LOCKED(expression)                                      \
	do {                                                    \
		NEED_LIBRARY();                                 \
		sim_lock(library.machine.state);                \
		nvmlReturn_t locked_result = (expression);      \
		sim_unlock(library.machine.state);              \
		return locked_result;                           \
	} while (0)

#endif
