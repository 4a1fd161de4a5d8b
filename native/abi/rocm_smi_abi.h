/*
 * librocm_smi64 as Hygon ships it: the types, codes and calls that hetero knows, of both generations.
 *
 * Source: dcu-dcgm, pkg/dcgm/include (2.8.0, of DTK) and hcu-dcgm b223b72 (the larger one, of hyhal); layouts from the
 * compiled headers.  The two are told apart by rsmi_dev_cu_num_get, which only the newer has.
 */
#ifndef HETERO_ABI_ROCM_SMI_H
#define HETERO_ABI_ROCM_SMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
	RSMI_STATUS_SUCCESS = 0,
	RSMI_STATUS_INVALID_ARGS = 1,
	RSMI_STATUS_NOT_SUPPORTED = 2,
	RSMI_STATUS_FILE_ERROR = 3,
	RSMI_STATUS_PERMISSION = 4,
	RSMI_STATUS_OUT_OF_RESOURCES = 5,
	RSMI_STATUS_INTERNAL_EXCEPTION = 6,
	RSMI_STATUS_INPUT_OUT_OF_BOUNDS = 7,
	RSMI_STATUS_INIT_ERROR = 8,
	RSMI_STATUS_NOT_YET_IMPLEMENTED = 9,
	RSMI_STATUS_NOT_FOUND = 10,
	RSMI_STATUS_INSUFFICIENT_SIZE = 11,
	RSMI_STATUS_INTERRUPT = 12,
	RSMI_STATUS_UNEXPECTED_SIZE = 13,
	RSMI_STATUS_NO_DATA = 14,
	RSMI_STATUS_UNEXPECTED_DATA = 15,
	RSMI_STATUS_BUSY = 16,
	RSMI_STATUS_REFCOUNT_OVERFLOW = 17,
	RSMI_STATUS_SETTING_UNAVAILABLE = 18,
	RSMI_STATUS_AMDGPU_RESTART_ERR = 19,
	RSMI_STATUS_UNKNOWN_ERROR = -1 /* 0xFFFFFFFF */
} rsmi_status_t;

typedef enum { RSMI_MEM_TYPE_VRAM = 0 } rsmi_memory_type_t;
typedef enum { RSMI_TEMP_CURRENT = 0 } rsmi_temperature_metric_t;
typedef enum {
	RSMI_IOLINK_TYPE_UNDEFINED = 0,
	RSMI_IOLINK_TYPE_PCIEXPRESS = 1,
	RSMI_IOLINK_TYPE_XGMI = 2
} RSMI_IO_LINK_TYPE;

#define RSMI_GPU_BLOCK_UMC 1 /* the memory, of the blocks whose errors are counted */

typedef struct {
	uint32_t major, minor, patch;
	const char *build;
} rsmi_version_t;

typedef struct {
	uint32_t process_id, pasid;
	uint64_t vram_usage, sdma_usage;
	uint32_t cu_occupancy;
} rsmi_process_info_t;

/* Four times as large in the newer generation; a caller that reserves the old size is written over. */
typedef struct {
	uint64_t correctable_err, uncorrectable_err;
} rsmi_error_count_dtk_t;
typedef struct {
	uint64_t correctable_err, uncorrectable_err, deferred_err, reserved[5];
} rsmi_error_count_hyhal_t;

_Static_assert(sizeof(rsmi_version_t) == 24 && offsetof(rsmi_version_t, build) == 16, "rsmi_version_t");
_Static_assert(sizeof(rsmi_process_info_t) == 32, "rsmi_process_info_t");
_Static_assert(offsetof(rsmi_process_info_t, vram_usage) == 8, "vram_usage");
_Static_assert(offsetof(rsmi_process_info_t, cu_occupancy) == 24, "cu_occupancy");
_Static_assert(sizeof(rsmi_error_count_dtk_t) == 16, "rsmi_error_count_t of DTK");
_Static_assert(sizeof(rsmi_error_count_hyhal_t) == 64, "rsmi_error_count_t of hyhal");

#pragma GCC visibility push(default)

rsmi_status_t rsmi_init(uint64_t flags);
rsmi_status_t rsmi_shut_down(void);
rsmi_status_t rsmi_num_monitor_devices(uint32_t *count);
rsmi_status_t rsmi_version_get(rsmi_version_t *version);
rsmi_status_t rsmi_status_string(rsmi_status_t status, const char **text);
rsmi_status_t rsmi_dev_id_get(uint32_t device, uint16_t *id);
rsmi_status_t rsmi_dev_name_get(uint32_t device, char *name, size_t size);
rsmi_status_t rsmi_dev_serial_number_get(uint32_t device, char *serial, uint32_t size);
rsmi_status_t rsmi_dev_unique_id_get(uint32_t device, uint64_t *id);
/* domain << 32 | bus << 8 | device << 3 | function */
rsmi_status_t rsmi_dev_pci_id_get(uint32_t device, uint64_t *address);
rsmi_status_t rsmi_topo_numa_affinity_get(uint32_t device, int32_t *node); /* unsigned in DTK, signed in hyhal */
rsmi_status_t rsmi_dev_drm_render_minor_get(uint32_t device, uint32_t *minor);
rsmi_status_t rsmi_dev_memory_total_get(uint32_t device, rsmi_memory_type_t type, uint64_t *bytes);
rsmi_status_t rsmi_dev_memory_usage_get(uint32_t device, rsmi_memory_type_t type, uint64_t *bytes);
rsmi_status_t rsmi_dev_busy_percent_get(uint32_t device, uint32_t *percent);
rsmi_status_t rsmi_dev_power_ave_get(uint32_t device, uint32_t sensor, uint64_t *microwatts);
rsmi_status_t rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, rsmi_temperature_metric_t metric,
				       int64_t *millidegrees);
rsmi_status_t rsmi_dev_ecc_count_get(uint32_t device, uint64_t block, void *rsmi_error_count_t);
/* NULL for the processes: only how many there are. */
rsmi_status_t rsmi_compute_process_info_get(rsmi_process_info_t *processes, uint32_t *count);
rsmi_status_t rsmi_compute_process_gpus_get(uint32_t pid, uint32_t *devices, uint32_t *count);
rsmi_status_t rsmi_topo_get_link_type(uint32_t from, uint32_t to, uint64_t *hops, RSMI_IO_LINK_TYPE *type);
#ifdef HETERO_ROCM_SMI_HYHAL
rsmi_status_t rsmi_dev_cu_num_get(uint32_t device, int *units);
rsmi_status_t rsmi_dev_xhcl_link_number_get(uint32_t device, uint32_t *count);
rsmi_status_t rsmi_dev_xhcl_link_remote_bdfid_get(uint32_t device, uint32_t link, uint64_t *address);
#endif

#pragma GCC visibility pop

#endif
