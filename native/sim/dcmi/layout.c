/* The layouts of the ABI, as compiled from the vendor's own header. */
#include "library.h"

#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "size of " #type)
#define AT(type, member, offset) _Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

SIZE(dcmi_chip_info, 100);
SIZE(dcmi_chip_info_v2, 132);
AT(dcmi_chip_info_v2, chip_name, 32);
AT(dcmi_chip_info_v2, aicore_cnt, 96);
AT(dcmi_chip_info_v2, npu_name, 100);
SIZE(dcmi_pcie_info_all, 64);
AT(dcmi_pcie_info_all, domain, 16);
AT(dcmi_pcie_info_all, bdf_busid, 20);
AT(dcmi_pcie_info_all, reserve, 32);
SIZE(dcmi_die_id, 20);
SIZE(dcmi_hbm_info, 32);
AT(dcmi_hbm_info, memory_usage, 16);
AT(dcmi_hbm_info, temp, 24);
SIZE(dcmi_get_memory_info_stru, 112);
AT(dcmi_get_memory_info_stru, memory_available, 8);
AT(dcmi_get_memory_info_stru, hugepagesize, 24);
AT(dcmi_get_memory_info_stru, utiliza, 48);
AT(dcmi_get_memory_info_stru, reserve, 52);
SIZE(dcmi_proc_mem_info, 16);
AT(dcmi_proc_mem_info, proc_mem_usage, 8);
SIZE(dcmi_board_info, 16);
SIZE(dcmi_base_resource, 64);
AT(dcmi_base_resource, vfg_id, 24);
AT(dcmi_base_resource, vip_mode, 28);
SIZE(dcmi_computing_resource, 96);
AT(dcmi_computing_resource, dsa, 8);
AT(dcmi_computing_resource, memory_size, 24);
AT(dcmi_computing_resource, event_id, 32);
AT(dcmi_computing_resource, topic_schedule_aicpu, 48);
AT(dcmi_computing_resource, device_aicpu, 54);
AT(dcmi_computing_resource, vdev_aicore_utilization, 60);
AT(dcmi_computing_resource, vdev_memory_total, 64);
AT(dcmi_computing_resource, reserved, 80);
SIZE(dcmi_media_resource, 56);
AT(dcmi_media_resource, reserved, 24);
SIZE(dcmi_create_vdev_out, 52);
AT(dcmi_create_vdev_out, vfg_id, 16);
SIZE(dcmi_create_vdev_res_stru, 104);
AT(dcmi_create_vdev_res_stru, template_name, 8);
AT(dcmi_create_vdev_res_stru, reserved, 40);
SIZE(dcmi_vdev_query_info, 256);
AT(dcmi_vdev_query_info, is_container_used, 20);
AT(dcmi_vdev_query_info, container_id, 32);
AT(dcmi_vdev_query_info, base, 40);
AT(dcmi_vdev_query_info, computing, 104);
AT(dcmi_vdev_query_info, media, 200);
SIZE(dcmi_vdev_query_stru, 264);
AT(dcmi_vdev_query_stru, query_info, 8);
SIZE(dcmi_soc_free_resource, 224);
AT(dcmi_soc_free_resource, base, 8);
AT(dcmi_soc_free_resource, computing, 72);
AT(dcmi_soc_free_resource, media, 168);
SIZE(dcmi_soc_total_resource, 360);
AT(dcmi_soc_total_resource, vdev_id, 4);
AT(dcmi_soc_total_resource, vfg_num, 132);
AT(dcmi_soc_total_resource, base, 144);
AT(dcmi_soc_total_resource, computing, 208);
AT(dcmi_soc_total_resource, media, 304);
SIZE(dcmi_spod_info, 48);
AT(dcmi_spod_info, super_pod_id, 8);
