/*
 * libhydmi, the library that makes and removes vDCUs: the types, codes and calls that hetero knows.
 *
 * Source: dcu-dcgm, pkg/dcgm/include and the export table of its libhydmi.so.1.5 (names, values and layouts are facts of
 * the ABI).  All exported symbols have the version DMI_1.  There is no call that initialises the library: the first of
 * any kind does, and what came of it holds for as long as the process lives.
 */
#ifndef HETERO_ABI_HYDMI_H
#define HETERO_ABI_HYDMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
	DMI_STATUS_SUCCESS = 0,
	DMI_STATUS_ERROR = 1,
	DMI_STATUS_NO_MEMORY = 2,
	DMI_STATUS_OPEN_MKFD_FAILED = 3,
	DMI_STATUS_MKFD_ALREADY_OPENED = 4,
	DMI_STATUS_SYS_NODE_NOT_EXIST = 5,
	DMI_STATUS_NOT_SUPPORTED = 6,
	DMI_STATUS_MKFD_NOT_OPENED = 7,
	DMI_STATUS_CREATE_VDEV_FAILED = 8,
	DMI_STATUS_DESTROY_VDEV_FAILED = 9,
	DMI_STATUS_INVALID_ARGUMENTS = 10,
	DMI_STATUS_OUT_OF_RESOURCES = 11,
	DMI_STATUS_QUERY_VDEV_INFO_FAILED = 12,
	DMI_STATUS_NOT_INITIALIZED = 13,
	DMI_STATUS_DEVICE_NOT_SUPPORT = 14,
	DMI_STATUS_VDEV_NOT_EXIST = 15,
	DMI_STATUS_INIT_DEVICE_FAILED = 16,
	DMI_STATUS_DEVICE_BUSY = 17,
	DMI_STATUS_FILE_ERROR = 18,
	DMI_STATUS_PERMISSION = 19,
	DMI_STATUS_INTERNAL_EXCEPTION = 20,
	DMI_STATUS_INPUT_OUT_OF_BOUNDS = 21,
	DMI_STATUS_SMI_INIT_ERROR = 22,
	DMI_STATUS_NOT_FOUND = 23,
	DMI_STATUS_INSUFFICIENT_SIZE = 24,
	DMI_STATUS_INTERRUPT = 25,
	DMI_STATUS_UNEXPECTED_SIZE = 26,
	DMI_STATUS_NO_DATA = 27,
	DMI_STATUS_UNEXPECTED_DATA = 28,
	DMI_STATUS_SMI_BUSY = 29,
	DMI_STATUS_REFCOUNT_OVERFLOW = 30,
	DMI_STATUS_NOT_YET_IMPLEMENTED = 31,
	/* From here on the header and the library of 1.5 disagree; these are the library's. */
	DMI_STATUS_HYMGR_CONNECT_FAILED = 32,
	DMI_STATUS_UNKNOWN = 999
} dmiStatus;

/* Sizes are bytes here; to make and to change a vDCU they are MiB. */
typedef struct {
	char name[256];
	int32_t compute_unit_count;
	uint64_t global_mem_size, usage_mem_size;
	uint64_t container_id;
	int32_t device_id;
} dmiDeviceInfo;

_Static_assert(sizeof(dmiDeviceInfo) == 296, "dmiDeviceInfo");
_Static_assert(offsetof(dmiDeviceInfo, compute_unit_count) == 256, "compute_unit_count");
_Static_assert(offsetof(dmiDeviceInfo, global_mem_size) == 264, "global_mem_size");
_Static_assert(offsetof(dmiDeviceInfo, usage_mem_size) == 272, "usage_mem_size");
_Static_assert(offsetof(dmiDeviceInfo, container_id) == 280, "container_id");
_Static_assert(offsetof(dmiDeviceInfo, device_id) == 288, "device_id");

#pragma GCC visibility push(default)

dmiStatus dmiGetDeviceCount(int *count);
dmiStatus dmiGetDeviceInfo(int device, dmiDeviceInfo *info);
/* For each card: 4 on the machine itself, 0 where the library takes itself to be in a container. */
dmiStatus dmiGetMaxVDeviceCount(int *count);
dmiStatus dmiGetVDeviceCount(int *count);
dmiStatus dmiGetVDeviceInfo(int vdev, dmiDeviceInfo *info);
dmiStatus dmiGetDeviceRemainingInfo(int device, size_t *units, size_t *bytes);
/* Tells no numbers of what it made: each becomes a file /etc/vdev/vdev<N>.conf. */
dmiStatus dmiCreateVDevices(int device, int count, int *units, int *mib);
dmiStatus dmiDestroyVDevices(int device);
dmiStatus dmiDestroySingleVDevice(int vdev);
dmiStatus dmiUpdateSingleVDevice(int vdev, int units, int mib); /* -1: as it is */
dmiStatus dmiStartVDevice(int vdev);
dmiStatus dmiStopVDevice(int vdev);
dmiStatus dmiGetDevBusyPercent(int device, int *percent);
dmiStatus dmiGetVDevBusyPercent(int vdev, int *percent);
dmiStatus dmiGetStatusString(dmiStatus status, const char **text);

#pragma GCC visibility pop

#endif
