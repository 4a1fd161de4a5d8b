/* vDCUs: which compute units each gets, and its file /etc/vdev/vdev<N>.conf. */
#include "vdev.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void path_of(int number, char out[64])
{
	snprintf(out, 64, "root/etc/vdev/vdev%d.conf", number);
}

void vdev_write(const struct board *board, const struct vdevs *vdevs, int number)
{
	const struct vdev *vdev = &vdevs->all[number];
	bool encryption = board_flag(board, BOARD_MACHINE, "encryption_lines", false);
	char path[64], text[512];
	path_of(number, path);
	snprintf(text, sizeof text,
		 "PciBusId: %s\ncu_mask: 0x%016llx\ncu_mask: 0x%016llx\ncu_count: %d\nmem: %d MiB\ndevice_id: 0\n"
		 "vdev_id: %d\npipe_id: 0\nenable: %d\n%s",
		 dcu_pci(board, vdev->owner - 1), (unsigned long long)vdev->mask[0], (unsigned long long)vdev->mask[1],
		 vdev->units, vdev->mib, number, vdev->started, encryption ? "encryption: 0\n" : "");
	board_put(board, path, text);
}

/* A process that died between the driver's work and the library's leaves one without its file. */
static void write_missing(const struct board *board, const struct vdevs *vdevs)
{
	for (int number = 0; number < VDEVS; number++) {
		char below[64], path[4096];
		path_of(number, below);
		if (vdevs->all[number].owner && access(board_path(board, path, below), F_OK) != 0)
			vdev_write(board, vdevs, number);
	}
}

struct vdevs *vdevs_lock(struct board *board)
{
	struct vdevs *vdevs = board_lock(board, sizeof *vdevs);
	if (vdevs)
		write_missing(board, vdevs);
	return vdevs;
}

int vdev_count(const struct vdevs *vdevs, int card)
{
	int count = 0;
	for (int number = 0; number < VDEVS; number++)
		count += vdevs->all[number].owner == card + 1;
	return count;
}

void vdev_remaining(const struct board *board, const struct vdevs *vdevs, int card, int *units, uint64_t *mib)
{
	*units = dcu_units(board, card);
	*mib = dcu_mib(board, card);
	for (int number = 0; number < VDEVS; number++)
		if (vdevs->all[number].owner == card + 1) {
			*units -= vdevs->all[number].units;
			*mib -= (uint64_t)vdevs->all[number].mib;
		}
}

static void taken(const struct vdevs *vdevs, int card, uint64_t mask[2])
{
	mask[0] = mask[1] = 0;
	for (int number = 0; number < VDEVS; number++)
		if (vdevs->all[number].owner == card + 1) {
			mask[0] |= vdevs->all[number].mask[0];
			mask[1] |= vdevs->all[number].mask[1];
		}
}

/* The lowest units that are free, or every other one first: which the driver takes is not documented. */
static void choose(const struct board *board, const struct vdevs *vdevs, int card, int units, uint64_t mask[2])
{
	bool scattered = strcmp(board_text(board, BOARD_MACHINE, "units", "low"), "scattered") == 0;
	uint64_t used[2];
	int total = dcu_units(board, card);
	taken(vdevs, card, used);
	mask[0] = mask[1] = 0;
	for (int step = 0; step < 2 * total && units > 0; step++) {
		int unit = scattered ? step * 2 % total + (step >= (total + 1) / 2) * !(total % 2) : step;
		uint64_t bit = 1ull << unit % 64;
		if (unit >= total || (used[unit / 64] | mask[unit / 64]) & bit)
			continue;
		mask[unit / 64] |= bit;
		units--;
	}
}

void vdev_make(const struct board *board, struct vdevs *vdevs, int card, int units, int mib)
{
	int number = 0;
	while (number < VDEVS && vdevs->all[number].owner)
		number++;
	struct vdev *vdev = &vdevs->all[number];
	choose(board, vdevs, card, units, vdev->mask);
	vdev->units = units;
	vdev->mib = mib;
	vdev->started = board_flag(board, BOARD_MACHINE, "created_started", true);
	vdev->owner = card + 1;
	vdev_write(board, vdevs, number);
}

void vdev_remove(const struct board *board, struct vdevs *vdevs, int number)
{
	char path[64];
	vdevs->all[number] = (struct vdev){0};
	path_of(number, path);
	board_drop(board, path);
}
