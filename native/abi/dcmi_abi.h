/*
 * The types, codes and calls of DCMI that hetero uses or simulates.
 *
 * Source: Huawei mind-cluster, component/ascend-common/devmanager/dcmi/dcmi_interface_api.h (names, values and layouts
 * are facts of the ABI). No struct has a version; all are zeroed by the caller.
 */
#ifndef HETERO_ABI_DCMI_H
#define HETERO_ABI_DCMI_H

#include <stdint.h>

enum dcmi_code {
	DCMI_OK = 0,
	DCMI_BAD_PARAMETER = -8001,
	DCMI_NO_PERMISSION = -8002,
	DCMI_INTERNAL = -8005,
	DCMI_TIMEOUT = -8006,
	DCMI_INVALID_DEVICE = -8007,
	DCMI_NO_DEVICE = -8008,
	DCMI_NOT_READY = -8012,
	DCMI_OCCUPIED = -8020,
	DCMI_NOT_SUPPORTED = -8255,
};

enum dcmi_unit_type { DCMI_NPU = 0, DCMI_MCU = 1, DCMI_CPU = 2, DCMI_NO_UNIT = 0xFF };
enum dcmi_die_type { DCMI_NDIE = 0, DCMI_VDIE = 1 };
enum dcmi_device_type { DCMI_DDR = 0, DCMI_SRAM = 1, DCMI_HBM = 2 };
enum dcmi_main_cmd { DCMI_CHIP_INF = 12, DCMI_VDEV_MNG = 52 };
enum dcmi_vdev_sub_cmd { DCMI_ONE_VDEV = 0, DCMI_TOTAL = 1, DCMI_FREE = 2 };
#define DCMI_SUPER_POD 1 /* sub-command of DCMI_CHIP_INF */

enum dcmi_utilization {
	DCMI_USE_MEMORY = 1,
	DCMI_USE_AICORE = 2,
	DCMI_USE_AICPU = 3,
	DCMI_USE_HBM = 6,
	DCMI_USE_VECTOR = 12,
	DCMI_USE_ALL = 13,
};

#define DCMI_HEALTH_ABSENT 0xFFFFFFFFu /* 0 well, 1 warning, 2 major, 3 critical */
#define DCMI_ANY 0xFFFFFFFFu           /* an id of a vNPU or of its group that the driver is to choose */
#define DCMI_VDEVS 32                  /* of a chip, in the structs */
#define DCMI_PROCESSES 32              /* of a chip: callers hand so many entries, and no count */
#define DCMI_CARDS 64

struct dcmi_chip_info {
	unsigned char chip_type[32], chip_name[32], chip_ver[32];
	uint32_t aicore_cnt;
};

struct dcmi_chip_info_v2 {
	unsigned char chip_type[32], chip_name[32], chip_ver[32];
	uint32_t aicore_cnt;
	unsigned char npu_name[32];
};

struct dcmi_pcie_info_all {
	uint32_t venderid, subvenderid, deviceid, subdeviceid;
	int32_t domain;
	uint32_t bdf_busid, bdf_deviceid, bdf_funcid;
	unsigned char reserve[32];
};

struct dcmi_die_id {
	uint32_t soc_die[5];
};

struct dcmi_hbm_info {
	uint64_t memory_size; /* MB */
	uint32_t freq;
	uint64_t memory_usage; /* MB */
	int32_t temp;
	uint32_t bandwith_util_rate;
};

struct dcmi_get_memory_info_stru {
	uint64_t memory_size, memory_available; /* MB */
	uint32_t freq;
	uint64_t hugepagesize, hugepages_total, hugepages_free;
	uint32_t utiliza;
	unsigned char reserve[60];
};

struct dcmi_proc_mem_info {
	int32_t proc_id;
	uint64_t proc_mem_usage; /* bytes */
};

struct dcmi_board_info {
	uint32_t board_id, pcb_id, bom_id, slot_id;
};

struct dcmi_base_resource {
	uint64_t token, token_max, task_timeout;
	uint32_t vfg_id;
	unsigned char vip_mode, reserved[31];
};

struct dcmi_computing_resource {
	float aic, aiv;
	uint16_t dsa, rtsq, acsq, cdqm, c_core, ffts, sdma, pcie_dma;
	uint64_t memory_size; /* MB */
	uint32_t event_id, notify_id, stream_id, model_id;
	uint16_t topic_schedule_aicpu, host_ctrl_cpu, host_aicpu, device_aicpu, topic_ctrl_cpu_slot;
	uint32_t vdev_aicore_utilization;
	uint64_t vdev_memory_total, vdev_memory_free;
	unsigned char reserved[12];
};

struct dcmi_media_resource {
	float jpegd, jpege, vpc, vdec, pngd, venc;
	unsigned char reserved[32];
};

struct dcmi_create_vdev_out {
	uint32_t vdev_id, pcie_bus, pcie_device, pcie_func, vfg_id;
	unsigned char reserved[32];
};

struct dcmi_create_vdev_res_stru {
	uint32_t vdev_id, vfg_id;
	char template_name[32];
	unsigned char reserved[64];
};

struct dcmi_vdev_query_info {
	char name[16];
	uint32_t status, is_container_used, vfid, vfg_id;
	uint64_t container_id;
	struct dcmi_base_resource base;
	struct dcmi_computing_resource computing;
	struct dcmi_media_resource media;
};

struct dcmi_vdev_query_stru {
	uint32_t vdev_id;
	struct dcmi_vdev_query_info query_info;
};

struct dcmi_soc_free_resource {
	uint32_t vfg_num, vfg_bitmap;
	struct dcmi_base_resource base;
	struct dcmi_computing_resource computing;
	struct dcmi_media_resource media;
};

struct dcmi_soc_total_resource {
	uint32_t vdev_num, vdev_id[DCMI_VDEVS], vfg_num, vfg_bitmap;
	struct dcmi_base_resource base;
	struct dcmi_computing_resource computing;
	struct dcmi_media_resource media;
};

struct dcmi_spod_info {
	uint32_t sdid, scale_type, super_pod_id, server_id, chassis_id, super_pod_type, reserve[6];
};

/* The two forms of dcmi_create_vdevice: that of today, and that of old drivers. */
typedef int dcmi_create_today(int card, int device, struct dcmi_create_vdev_res_stru *wanted,
			      struct dcmi_create_vdev_out *made);
typedef int dcmi_create_old(int card, int device, int vdev_id, const char *template_name,
			    struct dcmi_create_vdev_out *made);

#pragma GCC visibility push(default)
int dcmi_init(void);
int dcmi_get_dcmi_version(char *version, int length);
int dcmi_get_driver_version(char *version, unsigned int length);
int dcmi_get_card_list(int *number, int *list, int length);
int dcmi_get_card_num_list(int *number, int *list, int length);
int dcmi_get_device_num_in_card(int card, int *number);
int dcmi_get_device_id_in_card(int card, int *devices, int *mcu, int *cpu);
int dcmi_get_device_type(int card, int device, enum dcmi_unit_type *type);
int dcmi_get_device_chip_info(int card, int device, struct dcmi_chip_info *info);
int dcmi_get_device_chip_info_v2(int card, int device, struct dcmi_chip_info_v2 *info);
int dcmi_get_device_logic_id(int *logic, int card, int device);
int dcmi_get_card_id_device_id_from_logicid(int *card, int *device, unsigned int logic);
int dcmi_get_card_id_device_id_from_phyid(int *card, int *device, unsigned int phy);
int dcmi_get_device_phyid_from_logicid(unsigned int logic, unsigned int *phy);
int dcmi_get_device_logicid_from_phyid(unsigned int phy, unsigned int *logic);
int dcmi_get_device_die_v2(int card, int device, enum dcmi_die_type type, struct dcmi_die_id *die);
int dcmi_get_product_type(int card, int device, char *product, int length);
int dcmi_get_device_health(int card, int device, unsigned int *health);
int dcmi_get_device_errorcode_v2(int card, int device, int *count, unsigned int *list, unsigned int length);
int dcmi_get_device_memory_info_v3(int card, int device, struct dcmi_get_memory_info_stru *info);
int dcmi_get_device_hbm_info(int card, int device, struct dcmi_hbm_info *info);
int dcmi_get_device_utilization_rate(int card, int device, int type, unsigned int *percent);
int dcmi_get_device_pcie_info_v2(int card, int device, struct dcmi_pcie_info_all *info);
int dcmi_get_device_resource_info(int card, int device, struct dcmi_proc_mem_info *list, int *number);
int dcmi_get_affinity_cpu_info_by_device_id(int card, int device, char *cpus, int *length);
int dcmi_get_device_board_info(int card, int device, struct dcmi_board_info *info);
int dcmi_get_device_power_info(int card, int device, int *tenths);
int dcmi_get_device_temperature(int card, int device, int *degrees);
int dcmi_get_device_info(int card, int device, enum dcmi_main_cmd main, unsigned int sub, void *buffer,
			 unsigned int *size);
int dcmi_create_vdevice(int card, int device, uintptr_t third, uintptr_t fourth, uintptr_t fifth);
int dcmi_set_destroy_vdevice(int card, int device, unsigned int vdev_id);

int dcmiv2_init(void);
int dcmiv2_get_device_list(int *list, int *number, int length);
int dcmiv2_get_all_device_count(int *number);
int dcmiv2_get_device_type(int device, enum dcmi_unit_type *type);
int dcmiv2_get_device_chip_info(int device, void *info); /* 100 or 132 bytes: callers differ */
int dcmiv2_get_device_pcie_info(int device, struct dcmi_pcie_info_all *info);
int dcmiv2_get_device_health(int device, unsigned int *health);
int dcmiv2_get_device_error_code_list(int device, int *count, unsigned int *list, unsigned int length);
int dcmiv2_get_device_hbm_info(int device, struct dcmi_hbm_info *info);
int dcmiv2_get_device_utilization_rate(int device, int type, unsigned int *percent);
int dcmiv2_get_device_power_info(int device, int *tenths);
int dcmiv2_get_device_temperature(int device, int *degrees);
int dcmiv2_get_chip_phy_id_by_dev_id(unsigned int device, unsigned int *phy);
int dcmiv2_get_dev_id_by_chip_phy_id(unsigned int phy, unsigned int *device);
int dcmiv2_get_device_die_id(int device, enum dcmi_die_type type, struct dcmi_die_id *die);
int dcmiv2_get_device_proc_mem_info(int device, struct dcmi_proc_mem_info *list, int *number);
int dcmiv2_get_affinity_cpu_info_by_dev_id(int device, char *cpus, int *length);
#pragma GCC visibility pop

#endif
