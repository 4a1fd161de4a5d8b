/*
 * The simulated libdcmi.so: what its parts share.
 *
 * Its machine is the directory that HETERO_SIM_DCMI names; the keys of cards.conf are in the README of vendors/ascend.
 * There, a [card] is a chip. vNPUs are kept in the state that all processes share.
 */
#ifndef HETERO_SIM_DCMI_LIBRARY_H
#define HETERO_SIM_DCMI_LIBRARY_H

#include <stddef.h>

#include "board.h"
#include "dcmi_abi.h"

struct vdevice {
	uint32_t id;
	char template[32];
	uint32_t memory, aicores, aicpus, dvpp;
	uint32_t used; /* written last: it counts from then on */
};

struct state {
	struct vdevice chips[BOARD_CARDS][DCMI_VDEVS];
};

/* One call: the machine, the chip that it is about, and what is to go wrong. */
struct call {
	struct board *board;
	struct board_fault fault;
	int chip; /* as a number of a [card] */
};

/* One of these is to be called first; what it returns other than DCMI_OK is the call's answer. */
int dcmi_enter(struct call *call, const char *name);
int dcmi_enter_chip(struct call *call, const char *name, int card, int device); /* one that answers */
int dcmi_enter_second(struct call *call, const char *name, int device);        /* of the newer family */
/* To be called last: dies, or fills the result with nonsense, where that was asked for. */
int dcmi_leave(const struct call *call, void *out, size_t size);

long long dcmi_number(const struct call *call, const char *key, long long fallback);
const char *dcmi_text(const struct call *call, const char *key, const char *fallback);
int dcmi_copy(const struct call *call, const char *text, char *out, long long length);

/* What both families answer about a chip. */
int dcmi_chip(const struct call *call, void *info, size_t size);
int dcmi_die(const struct call *call, enum dcmi_die_type type, struct dcmi_die_id *die);
int dcmi_pcie(const struct call *call, struct dcmi_pcie_info_all *info);
int dcmi_cpus(const struct call *call, char *cpus, int *length);
int dcmi_health(const struct call *call, unsigned int *health);
int dcmi_errors(const struct call *call, int *count, unsigned int *list, unsigned int length);
int dcmi_hbm(const struct call *call, struct dcmi_hbm_info *info);
int dcmi_processes(const struct call *call, struct dcmi_proc_mem_info *list, int *number);
int dcmi_utilization(const struct call *call, int type, unsigned int *percent);
int dcmi_sensor(const struct call *call, const char *key, int *value);

#endif
