/* The simulated librocm_smi64: how cards reach each other, and what only the newer generation has. */
#include "smi.h"

rsmi_status_t rsmi_topo_get_link_type(uint32_t from, uint32_t to, uint64_t *hops, RSMI_IO_LINK_TYPE *type)
{
	struct smi call = smi_of(__func__, from, hops);
	if (call.status == RSMI_STATUS_SUCCESS && (to >= board_cards(call.board) || to == from || !type))
		call.status = RSMI_STATUS_INVALID_ARGS;
	if (call.status != RSMI_STATUS_SUCCESS)
		return smi_end(&call, call.status);
	bool direct = dcu_links(call.board, (int)from, (int)to) > 0;
	*hops = direct ? 1 : 2;
	*type = direct ? RSMI_IOLINK_TYPE_XGMI : RSMI_IOLINK_TYPE_PCIEXPRESS;
	if (call.fault.garbage)
		*type = (RSMI_IO_LINK_TYPE)77;
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

#ifdef HETERO_ROCM_SMI_HYHAL
rsmi_status_t rsmi_dev_cu_num_get(uint32_t device, int *units)
{
	struct smi call = smi_of(__func__, device, units);
	if (call.status == RSMI_STATUS_SUCCESS)
		*units = call.fault.garbage ? -1 : dcu_units(call.board, (int)device);
	return smi_end(&call, call.status);
}

rsmi_status_t rsmi_dev_xhcl_link_number_get(uint32_t device, uint32_t *count)
{
	struct smi call = smi_of(__func__, device, count);
	if (call.status != RSMI_STATUS_SUCCESS)
		return smi_end(&call, call.status);
	*count = 0;
	for (unsigned peer = 0; peer < board_cards(call.board); peer++)
		*count += dcu_links(call.board, (int)device, (int)peer);
	if (call.fault.garbage)
		*count = 0xfffffff0u;
	return smi_end(&call, RSMI_STATUS_SUCCESS);
}

rsmi_status_t rsmi_dev_xhcl_link_remote_bdfid_get(uint32_t device, uint32_t link, uint64_t *address)
{
	struct smi call = smi_of(__func__, device, address);
	if (call.status != RSMI_STATUS_SUCCESS)
		return smi_end(&call, call.status);
	for (unsigned peer = 0; peer < board_cards(call.board); peer++) {
		uint32_t lanes = dcu_links(call.board, (int)device, (int)peer);
		if (link < lanes) {
			*address = dcu_address(call.board, (int)peer);
			return smi_end(&call, RSMI_STATUS_SUCCESS);
		}
		link -= lanes;
	}
	return smi_end(&call, RSMI_STATUS_INPUT_OUT_OF_BOUNDS);
}
#endif
