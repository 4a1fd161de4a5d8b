/* The simulated librocm_smi64: identity, sensors, links and processes of cards. */
#include "boardcheck.h"
#include "rocm_smi_abi.h"

#define MIB (1024ull * 1024ull)
#define CARD_A                                                                                                \
	"[card]\nname = K100_AI\ndevice_id = 0x6210\nserial = TNK7A21\nunique_id = 0x1234\npci = 0001:33:00.1\n" \
	"memory_mib = 65520\ncus = 120\nused_mib = 512\nbusy = 7\ntemperature = 41\npower = 90\nnuma = 1\n"    \
	"links = 1,1\nprocesses = 77:100,78:5\n"
#define CARD_B                                                                                           \
	"[card]\nname = K100_AI\ndevice_id = 0x6210\npci = 0000:9f:00.0\nmemory_mib = 65520\ncus = 120\n" \
	"health = ecc:3\nlinks = 0,0\nprocesses = 77:20\n"

static void nothing_is_told_before_it_is_initialised(void)
{
	uint32_t count;
	EXPECT(RSMI_STATUS_INIT_ERROR, rsmi_num_monitor_devices(&count));
	OK(rsmi_init(0));
	OK(rsmi_num_monitor_devices(&count));
	EXPECT(2, count);
	OK(rsmi_shut_down());
	EXPECT(RSMI_STATUS_INIT_ERROR, rsmi_num_monitor_devices(&count));
}

static void a_card_is_what_its_lines_say(void)
{
	char text[16];
	uint16_t id;
	uint64_t number;
	int32_t node;
	OK(rsmi_init(0));
	OK(rsmi_dev_id_get(0, &id));
	EXPECT(0x6210, id);
	OK(rsmi_dev_serial_number_get(0, text, sizeof text));
	EXPECT_TEXT("TNK7A21", text);
	EXPECT(RSMI_STATUS_INSUFFICIENT_SIZE, rsmi_dev_serial_number_get(0, text, 4));
	EXPECT(RSMI_STATUS_NOT_SUPPORTED, rsmi_dev_serial_number_get(1, text, sizeof text));
	OK(rsmi_dev_unique_id_get(0, &number));
	EXPECT(0x1234, number);
	OK(rsmi_dev_pci_id_get(0, &number));
	EXPECT(1ull << 32 | 0x33 << 8 | 1, number);
	OK(rsmi_topo_numa_affinity_get(0, &node));
	EXPECT(1, node);
	OK(rsmi_topo_numa_affinity_get(1, &node));
	EXPECT(-1, node);
	EXPECT(RSMI_STATUS_INVALID_ARGS, rsmi_dev_id_get(2, &id));
}

static void sensors_have_their_units(void)
{
	uint64_t number;
	uint32_t percent;
	int64_t degrees;
	OK(rsmi_init(0));
	OK(rsmi_dev_memory_total_get(0, RSMI_MEM_TYPE_VRAM, &number));
	EXPECT(65520 * MIB, number);
	OK(rsmi_dev_memory_usage_get(0, RSMI_MEM_TYPE_VRAM, &number));
	EXPECT(512 * MIB, number);
	OK(rsmi_dev_busy_percent_get(0, &percent));
	EXPECT(7, percent);
	OK(rsmi_dev_power_ave_get(0, 0, &number));
	EXPECT(90000000, number);
	OK(rsmi_dev_temp_metric_get(0, 0, RSMI_TEMP_CURRENT, &degrees));
	EXPECT(41000, degrees);
	EXPECT(RSMI_STATUS_NOT_SUPPORTED, rsmi_dev_temp_metric_get(1, 0, RSMI_TEMP_CURRENT, &degrees));
}

static void errors_are_counted_in_the_generations_own_struct(void)
{
	uint64_t counts[9];
	memset(counts, 0xff, sizeof counts);
	OK(rsmi_init(0));
	OK(rsmi_dev_ecc_count_get(1, RSMI_GPU_BLOCK_UMC, counts));
	EXPECT(0, counts[0]);
	EXPECT(3, counts[1]);
#ifdef HETERO_ROCM_SMI_HYHAL
	EXPECT(0, counts[7]); /* 64 bytes are written, where the older generation writes 16 */
#else
	EXPECT(-1, counts[2]);
#endif
	EXPECT(-1, counts[8]);
}

static void processes_are_counted_over_all_cards(void)
{
	rsmi_process_info_t all[2];
	uint32_t count = 0, cards[2];
	OK(rsmi_init(0));
	OK(rsmi_compute_process_info_get(NULL, &count));
	EXPECT(2, count);
	OK(rsmi_compute_process_info_get(all, &count));
	EXPECT(77, all[0].process_id);
	EXPECT(120 * MIB, all[0].vram_usage);
	count = 1;
	EXPECT(RSMI_STATUS_INSUFFICIENT_SIZE, rsmi_compute_process_info_get(all, &count));
	count = 2;
	OK(rsmi_compute_process_gpus_get(77, cards, &count));
	EXPECT(2, count);
	EXPECT(1, cards[1]);
	EXPECT(RSMI_STATUS_NOT_FOUND, rsmi_compute_process_gpus_get(1, NULL, &count));
}

static void links_lead_to_the_peers_that_are_named(void)
{
	RSMI_IO_LINK_TYPE type;
	uint64_t hops;
	OK(rsmi_init(0));
	OK(rsmi_topo_get_link_type(0, 1, &hops, &type));
	EXPECT(RSMI_IOLINK_TYPE_XGMI, type);
	EXPECT(1, hops);
#ifdef HETERO_ROCM_SMI_HYHAL
	uint32_t count;
	uint64_t peer;
	int units;
	OK(rsmi_dev_xhcl_link_number_get(0, &count));
	EXPECT(2, count);
	OK(rsmi_dev_xhcl_link_remote_bdfid_get(0, 1, &peer));
	EXPECT(0x9f00, peer);
	EXPECT(RSMI_STATUS_INPUT_OUT_OF_BOUNDS, rsmi_dev_xhcl_link_remote_bdfid_get(0, 2, &peer));
	OK(rsmi_dev_cu_num_get(0, &units));
	EXPECT(120, units);
#endif
}

static void a_lost_card_answers_no_more(void)
{
	uint16_t id;
	uint32_t count;
	OK(rsmi_init(0));
	write_board("cards.conf", CARD_B "health = lost\n" CARD_A);
	EXPECT(RSMI_STATUS_FILE_ERROR, rsmi_dev_id_get(0, &id));
	OK(rsmi_dev_id_get(1, &id));
	write_board("faults", "rsmi_num_monitor_devices 1 garbage\nrsmi_dev_id_get * fail 6\n");
	OK(rsmi_num_monitor_devices(&count));
	EXPECT(0xfffffff0u, count);
	EXPECT(RSMI_STATUS_INTERNAL_EXCEPTION, rsmi_dev_id_get(1, &id));
}

static void on_a_machine(void (*run)(void))
{
	use_board("HETERO_SIM_HYDMI", CARD_A CARD_B);
	in_child(run);
	remove_board();
}

int main(void)
{
	on_a_machine(nothing_is_told_before_it_is_initialised);
	on_a_machine(a_card_is_what_its_lines_say);
	on_a_machine(sensors_have_their_units);
	on_a_machine(errors_are_counted_in_the_generations_own_struct);
	on_a_machine(processes_are_counted_over_all_cards);
	on_a_machine(links_lead_to_the_peers_that_are_named);
	on_a_machine(a_lost_card_answers_no_more);
	return 0;
}
