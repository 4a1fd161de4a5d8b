/*
 * The part of NVML that is about MIG: instances of a GPU, their profiles and placements. Included by nvml_abi.h.
 *
 * Source: nvml.h, API version 13 (names, values and layouts are facts of the ABI).
 */
#ifndef HETERO_ABI_NVML_MIG_H
#define HETERO_ABI_NVML_MIG_H

#include <stddef.h>

typedef struct nvmlGpuInstance_st *nvmlGpuInstance_t;
typedef struct nvmlComputeInstance_st *nvmlComputeInstance_t;

#define NVML_DEVICE_MIG_DISABLE 0
#define NVML_DEVICE_MIG_ENABLE 1

/* A profile goes by two numbers: this one, by which one asks what there is, and the id that the answer has. */
#define NVML_GPU_INSTANCE_PROFILE_1_SLICE 0x0
#define NVML_GPU_INSTANCE_PROFILE_2_SLICE 0x1
#define NVML_GPU_INSTANCE_PROFILE_3_SLICE 0x2
#define NVML_GPU_INSTANCE_PROFILE_4_SLICE 0x3
#define NVML_GPU_INSTANCE_PROFILE_7_SLICE 0x4
#define NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1 0x7 /* with media engines */
#define NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2 0x9 /* with twice the memory */
#define NVML_GPU_INSTANCE_PROFILE_COUNT 0x12

#define NVML_COMPUTE_INSTANCE_PROFILE_1_SLICE 0x0
#define NVML_COMPUTE_INSTANCE_PROFILE_2_SLICE 0x1
#define NVML_COMPUTE_INSTANCE_PROFILE_3_SLICE 0x2
#define NVML_COMPUTE_INSTANCE_PROFILE_4_SLICE 0x3
#define NVML_COMPUTE_INSTANCE_PROFILE_7_SLICE 0x4
#define NVML_COMPUTE_INSTANCE_PROFILE_COUNT 0x9
#define NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED 0x0

typedef struct {
	unsigned int start, size; /* memory slices */
} nvmlGpuInstancePlacement_t;

typedef struct {
	unsigned int id, isP2pSupported, sliceCount, instanceCount, multiprocessorCount, copyEngineCount, decoderCount,
		encoderCount, jpegCount, ofaCount;
	unsigned long long memorySizeMB; /* MiB */
} nvmlGpuInstanceProfileInfo_t;

typedef struct {
	unsigned int version, id, isP2pSupported, sliceCount, instanceCount, multiprocessorCount, copyEngineCount,
		decoderCount, encoderCount, jpegCount, ofaCount;
	unsigned long long memorySizeMB;
	char name[96];
} nvmlGpuInstanceProfileInfo_v2_t;

#define nvmlGpuInstanceProfileInfo_v2 0x02000098u /* sizeof | 2 << 24 */

typedef struct {
	unsigned int version, id, sliceCount, instanceCount, multiprocessorCount, copyEngineCount, decoderCount,
		encoderCount, jpegCount, ofaCount;
	unsigned long long memorySizeMB;
	char name[96];
	unsigned int capabilities;
} nvmlGpuInstanceProfileInfo_v3_t;

#define nvmlGpuInstanceProfileInfo_v3 0x03000098u

typedef struct {
	nvmlDevice_t device;
	unsigned int id, profileId;
	nvmlGpuInstancePlacement_t placement;
} nvmlGpuInstanceInfo_t;

typedef struct {
	unsigned int start, size; /* compute slices */
} nvmlComputeInstancePlacement_t;

typedef struct {
	unsigned int id, sliceCount, instanceCount, multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount,
		sharedEncoderCount, sharedJpegCount, sharedOfaCount;
} nvmlComputeInstanceProfileInfo_t;

typedef struct {
	nvmlDevice_t device;
	nvmlGpuInstance_t gpuInstance;
	unsigned int id, profileId;
	nvmlComputeInstancePlacement_t placement;
} nvmlComputeInstanceInfo_t;

typedef struct {
	unsigned int multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount,
		sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
	unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;

_Static_assert(sizeof(nvmlGpuInstancePlacement_t) == 8 && sizeof(nvmlComputeInstancePlacement_t) == 8, "placements");
_Static_assert(sizeof(nvmlGpuInstanceProfileInfo_t) == 48, "profile");
_Static_assert(offsetof(nvmlGpuInstanceProfileInfo_t, memorySizeMB) == 40, "its memory");
_Static_assert(sizeof(nvmlGpuInstanceProfileInfo_v2_t) == (nvmlGpuInstanceProfileInfo_v2 & 0xffffffu), "its version");
_Static_assert(offsetof(nvmlGpuInstanceProfileInfo_v2_t, memorySizeMB) == 48, "its memory");
_Static_assert(offsetof(nvmlGpuInstanceProfileInfo_v2_t, name) == 56, "its name");
_Static_assert(sizeof(nvmlGpuInstanceProfileInfo_v3_t) == (nvmlGpuInstanceProfileInfo_v3 & 0xffffffu), "its version");
_Static_assert(offsetof(nvmlGpuInstanceProfileInfo_v3_t, name) == 48, "its name");
_Static_assert(offsetof(nvmlGpuInstanceProfileInfo_v3_t, capabilities) == 144, "what else it has");
_Static_assert(sizeof(nvmlGpuInstanceInfo_t) == 24, "GPU instance");
_Static_assert(offsetof(nvmlGpuInstanceInfo_t, placement) == 16, "its placement");
_Static_assert(sizeof(nvmlComputeInstanceProfileInfo_t) == 36, "profile of a compute instance");
_Static_assert(sizeof(nvmlComputeInstanceInfo_t) == 32, "compute instance");
_Static_assert(offsetof(nvmlComputeInstanceInfo_t, placement) == 24, "its placement");
_Static_assert(sizeof(nvmlDeviceAttributes_t) == 40, "attributes");

/* Fields: one question for many numbers. */
#define NVML_FI_DEV_GET_GPU_RECOVERY_ACTION 230
#define NVML_VALUE_TYPE_UNSIGNED_INT 1
#define NVML_GPU_RECOVERY_ACTION_NONE 0
#define NVML_GPU_RECOVERY_ACTION_GPU_RESET 1

typedef union {
	double dVal;
	int siVal;
	unsigned int uiVal;
	unsigned long ulVal;
	unsigned long long ullVal;
} nvmlValue_t;

typedef struct {
	unsigned int fieldId, scopeId;
	long long timestamp, latencyUsec; /* microseconds */
	unsigned int valueType;
	nvmlReturn_t nvmlReturn;
	nvmlValue_t value;
} nvmlFieldValue_t;

_Static_assert(sizeof(nvmlFieldValue_t) == 40 && offsetof(nvmlFieldValue_t, value) == 32, "field");

#endif
