/* The vDCUs of the simulated machine: what the kernel's driver would keep, and the files that the library writes. */
#ifndef HETERO_SIM_HYDMI_VDEV_H
#define HETERO_SIM_HYDMI_VDEV_H

#include <stdint.h>

#include "dcu.h"
#include "hydmi_abi.h"

#define VDEVS 200 /* of a machine */

struct vdev {
	int32_t owner; /* number of the card plus 1; 0: there is no such vDCU */
	int32_t units, mib;
	uint64_t mask[2];
	uint8_t started;
};

struct vdevs {
	struct vdev all[VDEVS];
};

/* The state, locked, with the file of each vDCU in its place.  NULL: it cannot be had, and is not locked. */
struct vdevs *vdevs_lock(struct board *board);
void vdev_remaining(const struct board *board, const struct vdevs *vdevs, int card, int *units, uint64_t *mib);
int vdev_count(const struct vdevs *vdevs, int card);
/* A new one, with its file.  There must be room. */
void vdev_make(const struct board *board, struct vdevs *vdevs, int card, int units, int mib);
void vdev_write(const struct board *board, const struct vdevs *vdevs, int number);
void vdev_remove(const struct board *board, struct vdevs *vdevs, int number);

#endif
