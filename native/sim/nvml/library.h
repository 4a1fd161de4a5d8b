/*
 * The simulated management library inside one process.  A handle is the address
 * of a slot in one of its tables, so a stray pointer is told from a handle.
 */
#ifndef HETERO_SIM_NVML_LIBRARY_H
#define HETERO_SIM_NVML_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../machine/machine.h"
#include "nvml_abi.h"

#define SIM_EXPORT __attribute__((visibility("default")))

struct nvmlDevice_st {
	uint32_t index;
	uint32_t mig;              /* 0: the card; else a MIG device of it, counted from 1 */
};

struct nvmlGpuInstance_st {
	uint32_t card, number;
};

struct nvmlComputeInstance_st {
	uint32_t card, number, compute;
};

struct library {
	pthread_mutex_t lock;
	unsigned uses;             /* nvmlInit counts */
	bool opened;               /* the machine stays open between uses */
	struct sim_machine machine;
	struct nvmlDevice_st cards[SIM_CARDS];
	struct nvmlDevice_st migs[SIM_CARDS][SIM_INSTANCES];
	struct nvmlGpuInstance_st instances[SIM_CARDS][SIM_INSTANCES];
	struct nvmlComputeInstance_st computes[SIM_CARDS][SIM_INSTANCES][SIM_INSTANCES];
};

extern struct library library;

/* NVML_SUCCESS between nvmlInit and the last nvmlShutdown; follows the health of the machine. */
nvmlReturn_t library_ready(void);

/*
 * The card behind a handle, for a call that works on a lost card too; and for all
 * the others, which answer NVML_ERROR_GPU_IS_LOST there.
 */
nvmlReturn_t find_card(nvmlDevice_t device, const struct sim_card_config **card);
nvmlReturn_t find_living_card(nvmlDevice_t device, const struct sim_card_config **card);

/* The compute instance that is this MIG device, and the instance that it is in; NULL when there is none. Lock held. */
struct sim_compute_instance *find_mig(const struct nvmlDevice_st *device, struct sim_gpu_instance **instance);

/* Cards that can be partitioned, and whether one is. */
bool can_partition(const struct sim_card_config *card);
bool is_partitioned(nvmlDevice_t device);

/* Copies with the terminating zero: NVML_ERROR_INSUFFICIENT_SIZE when it does not fit. */
nvmlReturn_t copy_text(char *out, unsigned length, const char *text);

#define NEED_LIBRARY()                                          \
	do {                                                    \
		nvmlReturn_t ready_result = library_ready();    \
		if (ready_result != NVML_SUCCESS)               \
			return ready_result;                    \
	} while (0)

#define NEED_CARD(name, device)                                          \
	const struct sim_card_config *name;                              \
	do {                                                             \
		nvmlReturn_t card_result = find_living_card(device, &name); \
		if (card_result != NVML_SUCCESS)                         \
			return card_result;                              \
	} while (0)

#define NEED_ARGUMENT(condition)                                \
	do {                                                    \
		if (!(condition))                               \
			return NVML_ERROR_INVALID_ARGUMENT;     \
	} while (0)

#endif
