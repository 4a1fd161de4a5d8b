/*
 * The newer lists of processes, each a structure that says its own version, and those of MPS, of which there are none. They tell
 * what the older ones tell (process.c).
 */
#include "../machine/past.h"
#include "library.h"

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses(nvmlDevice_t device, unsigned int *count,
								nvmlProcessInfo_v1_t *infos)
{
	return nvmlDeviceGetGraphicsRunningProcesses(device, count, infos);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
								   nvmlProcessInfo_v2_t *infos)
{
	return nvmlDeviceGetGraphicsRunningProcesses_v2(device, count, infos);
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
								   nvmlProcessInfo_t *infos)
{
	return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, infos);
}

static nvmlReturn_t processes_of_mode(nvmlDevice_t device, unsigned mode, unsigned *count, nvmlProcessInfo_t *infos)
{
	switch (mode) {
	case NVML_PROCESS_MODE_COMPUTE:
	case NVML_PROCESS_MODE_ALL: return nvmlDeviceGetComputeRunningProcesses_v3(device, count, infos);
	case NVML_PROCESS_MODE_GRAPHICS: return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, infos);
	case NVML_PROCESS_MODE_MPS: return nvmlDeviceGetMPSComputeRunningProcesses_v3(device, count, infos);
	default: return NVML_ERROR_INVALID_ARGUMENT;
	}
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_t *list)
{
	nvmlProcessInfo_t infos[SIM_LISTED];
	unsigned count = SIM_LISTED;
	NEED_LIBRARY();
	NEED_ARGUMENT(list && list->version == nvmlProcessDetailList_v1 && (list->procArray || !list->numProcArrayEntries));
	nvmlReturn_t result = processes_of_mode(device, list->mode, &count, infos);
	if (result != NVML_SUCCESS)
		return result;
	bool fits = count <= list->numProcArrayEntries;
	list->numProcArrayEntries = count;
	for (unsigned i = 0; fits && i < count; i++)
		list->procArray[i] = (nvmlProcessDetail_v1_t){.pid = infos[i].pid,
							      .usedGpuMemory = infos[i].usedGpuMemory,
							      .gpuInstanceId = infos[i].gpuInstanceId,
							      .computeInstanceId = infos[i].computeInstanceId};
	return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

SIM_EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *info)
{
	nvmlProcessUtilizationSample_t samples[SIM_PROCESSES];
	unsigned count = SIM_PROCESSES;
	NEED_LIBRARY();
	NEED_ARGUMENT(info);
	if (info->version != nvmlProcessesUtilizationInfo_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	nvmlReturn_t result = nvmlDeviceGetProcessUtilization(device, samples, &count, info->lastSeenTimeStamp);
	if (result != NVML_SUCCESS)
		return result;
	bool fits = info->procUtilArray && count <= info->processSamplesCount;
	info->processSamplesCount = count;
	for (unsigned i = 0; fits && i < count; i++)
		info->procUtilArray[i] = (nvmlProcessUtilizationInfo_v1_t){.timeStamp = samples[i].timeStamp,
									   .pid = samples[i].pid,
									   .smUtil = samples[i].smUtil,
									   .memUtil = samples[i].memUtil};
	return fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}
