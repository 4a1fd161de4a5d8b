/*
 * The part of libcndev's ABI that hetero uses or simulates: Cambricon's management library, version 6.5.
 *
 * Written from facts about the library (names, layouts, codes); the sizes and offsets at the end are those of a program
 * compiled with the vendor's header `cndev.h` 6.5 (in Cambricon's mlu-exporter).  `version` in a struct is set by the caller.
 */
#ifndef HETERO_CNDEV_ABI_H
#define HETERO_CNDEV_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CNDEV_VERSION 6

typedef enum {
	CNDEV_SUCCESS = 0,
	CNDEV_ERROR_NO_DRIVER = 1,
	CNDEV_ERROR_LOW_DRIVER_VERSION = 2,
	CNDEV_ERROR_UNSUPPORTED_API_VERSION = 3,
	CNDEV_ERROR_UNINITIALIZED = 4,
	CNDEV_ERROR_INVALID_ARGUMENT = 5,
	CNDEV_ERROR_INVALID_DEVICE_ID = 6,
	CNDEV_ERROR_UNKNOWN = 7,
	CNDEV_ERROR_MALLOC = 8,
	CNDEV_ERROR_INSUFFICIENT_SPACE = 9,
	CNDEV_ERROR_NOT_SUPPORTED = 10,
	CNDEV_ERROR_INVALID_LINK = 11,
	CNDEV_ERROR_NO_DEVICES = 12,
	CNDEV_ERROR_NO_PERMISSION = 13,
	CNDEV_ERROR_NOT_FOUND = 14,
	CNDEV_ERROR_IN_USE = 15,
	CNDEV_ERROR_DUPLICATE = 16,
	CNDEV_ERROR_TIMEOUT = 17,
	CNDEV_ERROR_IN_PROBLEM = 18,
} cndevRet_t;

typedef int32_t cndevDevice_t;
typedef int32_t cndevMluInstance_t; /* instanceId << 8 | slot of the card */

enum { CNDEV_DRIVER_RUNNING = 4 };
enum { CNDEV_HEALTH_PASS = 0, CNDEV_HEALTH_WARN = 10, CNDEV_HEALTH_FAIL = 20 };
enum { CNDEV_MAC_DOWN = 0, CNDEV_MAC_UP = 1 };
enum { CNDEV_TOPOLOGY_SELF = 0, CNDEV_TOPOLOGY_INTERNAL = 1, CNDEV_TOPOLOGY_HOST_BRIDGE = 4, CNDEV_TOPOLOGY_CPU = 5,
       CNDEV_TOPOLOGY_SYSTEM = 6 };

typedef struct {
	int32_t version;
	uint32_t number;
} cndevCardInfo_t;

typedef struct {
	int32_t version;
	uint8_t uuid[37]; /* 36 characters, no prefix */
	uint64_t ncsUUID64;
} cndevUUID_t;

typedef struct {
	int64_t physicalMemoryTotal, physicalMemoryUsed, reservedMemory, virtualMemoryTotal, virtualMemoryUsed; /* MB */
	uint64_t globalMemory;
	uint64_t reserved[16];
} cndevMemoryInfoV2_t;

typedef struct {
	int32_t version;
	uint32_t mcuMajorVersion, mcuMinorVersion, mcuBuildVersion;
	uint32_t driverMajorVersion, driverMinorVersion, driverBuildVersion;
} cndevVersionInfo_t;

typedef struct {
	int32_t version;
	uint32_t libMajorVersion, libMinorVersion, libBuildVersion;
} cndevLibVersionInfo_t;

typedef struct {
	int32_t version;
	int32_t id;
} cndevCardName_t;

typedef struct {
	int32_t version;
	uint64_t sn, motherBoardSn;
} cndevCardSN_t;

typedef struct {
	int32_t version;
	int32_t count;
} cndevCardCoreCount_t, cndevCardClusterCount_t;

typedef struct {
	int32_t version;
	int32_t averageCoreUtilization; /* percent */
	int32_t coreUtilization[80];
} cndevUtilizationInfo_t;

typedef struct {
	int32_t version;
	uint32_t pid;
	uint64_t physicalMemoryUsed, virtualMemoryUsed; /* KiB */
} cndevProcessInfo_t;

typedef struct {
	int32_t version;
	uint32_t pid, ipuUtil, jpuUtil, vpuDecUtil, vpuEncUtil, memUtil; /* percent */
} cndevProcessUtilization_t;

typedef struct {
	int32_t version;
	int32_t health;
	int32_t deviceState; /* 0 in problem, 1 good */
	int32_t driverState;
} cndevCardHealthState_t;

typedef struct {
	char msg[512];
	uint32_t device_id, bdf;
	int32_t code;
	uint32_t category, severity;
} cndevDiagErrorDetail_t;

typedef struct {
	int32_t system, health;
	cndevDiagErrorDetail_t error;
} cndevIncidentInfo_t;

typedef struct {
	int32_t health, deviceState, driverState, overallHealth;
	uint32_t incident_count;
	cndevIncidentInfo_t incidents[64];
	uint32_t reserved[8];
} cndevCardHealthStateV2_t;

typedef struct {
	int32_t version;
	uint32_t heartbeatCount;
} cndevCardHeartbeatCount_t;

typedef struct {
	int32_t version;
	int32_t mode; /* 0 default, 1 exclusive, 2 prohibited */
} cndevComputeMode_t;

typedef struct {
	int32_t version;
	int32_t nodeId;
} cndevNUMANodeId_t;

typedef struct {
	uint32_t subsystemId, deviceId;
	uint16_t vendor, subsystemVendor;
	uint32_t domain, bus, device, function;
	uint16_t moduleId, slotId;
	uint32_t reserved[8];
} cndevPCIeInfoV2_t;

typedef struct {
	int32_t version;
	int32_t board, cluster[20], memoryDie[8], chip, airInlet, airOutlet, memory, videoInput, cpu, isp; /* °C */
} cndevTemperatureInfo_t;

typedef struct {
	int32_t usage, cap, machine, tdp, maxPower; /* W */
	int32_t reserved[16];
} cndevDevicePowerInfo_t;

typedef struct {
	int32_t macState, serdesState, presenceState;
	uint32_t serdesProgress;
	uint32_t reserved[7];
} cndevMLULinkStatusV2_t;

typedef struct {
	int32_t version;
	uint64_t mcSn, baSn;
	uint32_t slotId, portId;
	uint8_t devIp[16], uuid[37];
	uint32_t devIpVersion, isIpValid;
	int32_t connectType;
	uint64_t ncsUUID64;
	uint8_t mac_addr[6];
	char port_name[256];
} cndevMLULinkRemoteInfo_t;

typedef struct {
	int32_t version;
	int32_t relation;
} cndevTopologyRelationship_t;

typedef struct {
	int32_t version;
	int32_t smluMode;
} cndevSMLUMode_t;

typedef struct {
	int32_t version;
	int32_t mimMode;
} cndevMimMode_t;

typedef struct {
	int32_t version;
	uint32_t mluQuota;   /* percent */
	uint64_t memorySize; /* bytes */
} cndevSMluSet_t;

typedef struct { /* arrays of two: the maximum, and what is used of it */
	int32_t version;
	int32_t profileId, instanceId;
	uint8_t uuid[37];
	int32_t domain, bus, device, function;
	char profileName[100], instanceName[100], devNodeName[100];
	uint32_t mluQuota[2];
	uint64_t memorySize[2];
	uint32_t reserved[128];
} cndevSMluInfo_t;

typedef struct {
	int32_t version;
	int32_t count;
	int32_t profileId[128];
} cndevSMluProfileIdInfo_t;

typedef struct { /* the second of each two is reserved */
	int32_t version;
	int32_t profileId;
	char name[100];
	uint32_t totalCapacity, remainCapacity; /* instances */
	uint32_t mluQuota[2];
	uint64_t memorySize[2];
} cndevSMluProfileInfo_t;

#pragma GCC visibility push(default)
cndevRet_t cndevInit(int32_t reserved);
cndevRet_t cndevRelease(void);
const char *cndevGetErrorString(cndevRet_t code);
cndevRet_t cndevGetDeviceCount(cndevCardInfo_t *info);
cndevRet_t cndevGetDeviceHandleByIndex(int32_t index, cndevDevice_t *device);
cndevRet_t cndevGetDeviceHandleByPciBusId(const char *address, cndevDevice_t *device);
cndevRet_t cndevGetDeviceHandleByUUID(const char *uuid, cndevDevice_t *device);
cndevRet_t cndevGetDriverVersion(uint32_t *major, uint32_t *minor, uint32_t *build);
cndevRet_t cndevGetLibVersion(cndevLibVersionInfo_t *version);
cndevRet_t cndevGetVersionInfo(cndevVersionInfo_t *version, cndevDevice_t device);
const char *cndevGetCardNameStringByDevId(cndevDevice_t device);
cndevRet_t cndevGetCardName(cndevCardName_t *name, cndevDevice_t device);
cndevRet_t cndevGetCardSN(cndevCardSN_t *sn, cndevDevice_t device);
cndevRet_t cndevGetUUID(cndevUUID_t *uuid, cndevDevice_t device);
cndevRet_t cndevGetMemoryUsageV2(cndevMemoryInfoV2_t *memory, cndevDevice_t device);
cndevRet_t cndevGetCoreCount(cndevCardCoreCount_t *count, cndevDevice_t device);
cndevRet_t cndevGetClusterCount(cndevCardClusterCount_t *count, cndevDevice_t device);
cndevRet_t cndevGetDeviceUtilizationInfo(cndevUtilizationInfo_t *utilization, cndevDevice_t device);
cndevRet_t cndevGetProcessInfo(uint32_t *count, cndevProcessInfo_t *processes, cndevDevice_t device);
cndevRet_t cndevGetProcessUtilization(uint32_t *count, cndevProcessUtilization_t *processes, cndevDevice_t device);
cndevRet_t cndevGetCardHealthState(cndevCardHealthState_t *health, cndevDevice_t device);
cndevRet_t cndevGetCardHealthStateV2(cndevCardHealthStateV2_t *health, cndevDevice_t device);
cndevRet_t cndevGetCardHeartbeatCount(cndevCardHeartbeatCount_t *count, cndevDevice_t device);
cndevRet_t cndevGetComputeMode(cndevComputeMode_t *mode, cndevDevice_t device);
cndevRet_t cndevGetNUMANodeIdByDevId(cndevNUMANodeId_t *node, cndevDevice_t device);
cndevRet_t cndevGetPCIeInfoV2(cndevPCIeInfoV2_t *pci, cndevDevice_t device);
cndevRet_t cndevGetTemperatureInfo(cndevTemperatureInfo_t *temperature, cndevDevice_t device);
cndevRet_t cndevGetDevicePowerInfo(cndevDevicePowerInfo_t *power, cndevDevice_t device);
int32_t cndevGetMLULinkPortNumber(cndevDevice_t device); /* the number itself */
cndevRet_t cndevGetMLULinkStatusV2(cndevMLULinkStatusV2_t *status, cndevDevice_t device, int32_t link);
cndevRet_t cndevGetMLULinkRemoteInfo(cndevMLULinkRemoteInfo_t *remote, cndevDevice_t device, int32_t link);
cndevRet_t cndevTopologyGetRelationship(cndevTopologyRelationship_t *relationship, cndevDevice_t one,
					cndevDevice_t other);
cndevRet_t cndevGetMimMode(cndevMimMode_t *mode, cndevDevice_t device);
cndevRet_t cndevGetSMLUMode(cndevSMLUMode_t *mode, cndevDevice_t device);
cndevRet_t cndevSetSMLUMode(cndevSMLUMode_t *mode, cndevDevice_t device);
cndevRet_t cndevCreateSMluProfileInfo(cndevSMluSet_t *set, int32_t *profile, cndevDevice_t device);
cndevRet_t cndevDestroySMluProfileInfo(int32_t profile, cndevDevice_t device);
cndevRet_t cndevGetSMluProfileIdInfo(cndevSMluProfileIdInfo_t *profiles, cndevDevice_t device);
cndevRet_t cndevGetSMluProfileInfo(cndevSMluProfileInfo_t *info, int32_t profile, cndevDevice_t device);
cndevRet_t cndevCreateSMluInstanceByProfileId(cndevMluInstance_t *instance, uint32_t profile, cndevDevice_t device,
					      char *name);
cndevRet_t cndevCreateSMluInstanceByProfileName(cndevMluInstance_t *instance, char *profile, cndevDevice_t device,
						char *name);
cndevRet_t cndevDestroySMluInstanceByHandle(cndevMluInstance_t instance);
cndevRet_t cndevDestroySMluInstanceByInstanceName(cndevDevice_t device, char *name);
cndevRet_t cndevGetSMluInstanceInfo(cndevSMluInfo_t *info, cndevMluInstance_t instance);
cndevRet_t cndevGetAllSMluInstanceInfo(int32_t *count, cndevSMluInfo_t *infos, cndevDevice_t device);
cndevRet_t cndevUpdateSMluInstanceQuotaByHandle(cndevMluInstance_t instance, cndevSMluSet_t *set);
#pragma GCC visibility pop

#define CNDEV_LAYOUT(type, size, member, offset) \
	static_assert(sizeof(type) == (size), #type); \
	static_assert(offsetof(type, member) == (offset), #type "." #member)
CNDEV_LAYOUT(cndevCardInfo_t, 8, number, 4);
CNDEV_LAYOUT(cndevUUID_t, 56, ncsUUID64, 48);
CNDEV_LAYOUT(cndevMemoryInfoV2_t, 176, reserved, 48);
CNDEV_LAYOUT(cndevVersionInfo_t, 28, driverBuildVersion, 24);
CNDEV_LAYOUT(cndevLibVersionInfo_t, 16, libBuildVersion, 12);
CNDEV_LAYOUT(cndevCardName_t, 8, id, 4);
CNDEV_LAYOUT(cndevCardSN_t, 24, motherBoardSn, 16);
CNDEV_LAYOUT(cndevCardCoreCount_t, 8, count, 4);
CNDEV_LAYOUT(cndevUtilizationInfo_t, 328, coreUtilization, 8);
CNDEV_LAYOUT(cndevProcessInfo_t, 24, virtualMemoryUsed, 16);
CNDEV_LAYOUT(cndevProcessUtilization_t, 28, memUtil, 24);
CNDEV_LAYOUT(cndevCardHealthState_t, 16, driverState, 12);
CNDEV_LAYOUT(cndevDiagErrorDetail_t, 532, severity, 528);
CNDEV_LAYOUT(cndevIncidentInfo_t, 540, error, 8);
CNDEV_LAYOUT(cndevCardHealthStateV2_t, 34612, incidents, 20);
CNDEV_LAYOUT(cndevCardHeartbeatCount_t, 8, heartbeatCount, 4);
CNDEV_LAYOUT(cndevComputeMode_t, 8, mode, 4);
CNDEV_LAYOUT(cndevNUMANodeId_t, 8, nodeId, 4);
CNDEV_LAYOUT(cndevPCIeInfoV2_t, 64, moduleId, 28);
CNDEV_LAYOUT(cndevTemperatureInfo_t, 148, chip, 120);
CNDEV_LAYOUT(cndevDevicePowerInfo_t, 84, reserved, 20);
CNDEV_LAYOUT(cndevMLULinkStatusV2_t, 44, serdesProgress, 12);
CNDEV_LAYOUT(cndevMLULinkRemoteInfo_t, 376, uuid, 48);
CNDEV_LAYOUT(cndevTopologyRelationship_t, 8, relation, 4);
CNDEV_LAYOUT(cndevSMLUMode_t, 8, smluMode, 4);
CNDEV_LAYOUT(cndevMimMode_t, 8, mimMode, 4);
CNDEV_LAYOUT(cndevSMluSet_t, 16, memorySize, 8);
CNDEV_LAYOUT(cndevSMluInfo_t, 904, memorySize, 376);
CNDEV_LAYOUT(cndevSMluProfileIdInfo_t, 520, profileId, 8);
CNDEV_LAYOUT(cndevSMluProfileInfo_t, 144, memorySize, 128);
#undef CNDEV_LAYOUT

#endif
