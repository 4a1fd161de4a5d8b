/* The newer family of calls, in which a chip has one number and no vNPU. */
#include "library.h"

int dcmiv2_get_device_type(int device, enum dcmi_unit_type *type)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_type", device);
	if (code != DCMI_OK || !type)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*type = DCMI_NPU;
	return dcmi_leave(&call, type, sizeof *type);
}

/* One of its callers hands the older struct: writing the newer one would overwrite what lies behind it. */
int dcmiv2_get_device_chip_info(int device, void *info)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_chip_info", device);
	return code != DCMI_OK ? code : dcmi_chip(&call, info, sizeof(struct dcmi_chip_info));
}

int dcmiv2_get_device_pcie_info(int device, struct dcmi_pcie_info_all *info)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_pcie_info", device);
	return code != DCMI_OK ? code : dcmi_pcie(&call, info);
}

int dcmiv2_get_device_health(int device, unsigned int *health)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_health", device);
	return code != DCMI_OK ? code : dcmi_health(&call, health);
}

int dcmiv2_get_device_error_code_list(int device, int *count, unsigned int *list, unsigned int length)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_error_code_list", device);
	return code != DCMI_OK ? code : dcmi_errors(&call, count, list, length);
}

int dcmiv2_get_device_hbm_info(int device, struct dcmi_hbm_info *info)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_hbm_info", device);
	return code != DCMI_OK ? code : dcmi_hbm(&call, info);
}

int dcmiv2_get_device_utilization_rate(int device, int type, unsigned int *percent)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_utilization_rate", device);
	return code != DCMI_OK ? code : dcmi_utilization(&call, type, percent);
}

int dcmiv2_get_device_power_info(int device, int *tenths)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_power_info", device);
	return code != DCMI_OK ? code : dcmi_sensor(&call, "power", tenths);
}

int dcmiv2_get_device_temperature(int device, int *degrees)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_temperature", device);
	return code != DCMI_OK ? code : dcmi_sensor(&call, "temperature", degrees);
}

int dcmiv2_get_chip_phy_id_by_dev_id(unsigned int device, unsigned int *phy)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_chip_phy_id_by_dev_id", (int)device);
	if (code != DCMI_OK || !phy)
		return code != DCMI_OK ? code : DCMI_BAD_PARAMETER;
	*phy = (unsigned int)dcmi_number(&call, "phy", call.chip);
	return dcmi_leave(&call, phy, sizeof *phy);
}

int dcmiv2_get_dev_id_by_chip_phy_id(unsigned int phy, unsigned int *device)
{
	struct call call;
	int code = DCMI_INVALID_DEVICE;
	for (int chip = 0; device && chip < BOARD_CARDS; chip++) {
		code = dcmi_enter_second(&call, "dcmiv2_get_dev_id_by_chip_phy_id", chip);
		if (code != DCMI_OK || dcmi_number(&call, "phy", chip) != phy)
			continue;
		*device = (unsigned int)chip;
		return dcmi_leave(&call, device, sizeof *device);
	}
	return device ? DCMI_INVALID_DEVICE : DCMI_BAD_PARAMETER;
}

int dcmiv2_get_device_die_id(int device, enum dcmi_die_type type, struct dcmi_die_id *die)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_die_id", device);
	return code != DCMI_OK ? code : dcmi_die(&call, type, die);
}

int dcmiv2_get_device_proc_mem_info(int device, struct dcmi_proc_mem_info *list, int *number)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_device_proc_mem_info", device);
	return code != DCMI_OK ? code : dcmi_processes(&call, list, number);
}

int dcmiv2_get_affinity_cpu_info_by_dev_id(int device, char *cpus, int *length)
{
	struct call call;
	int code = dcmi_enter_second(&call, "dcmiv2_get_affinity_cpu_info_by_dev_id", device);
	return code != DCMI_OK ? code : dcmi_cpus(&call, cpus, length);
}
