/* cards.conf: what is wrong with a file is told by file, line and key. */
#include "../machine/config.h"
#include "check.h"

static const struct fault {
	const char *text;
	int line;
	const char *key;
} faults[] = {
	{"", 0, "[card]"},
	{"[card]\nname = x\nmemory_mib = 1\n", 3, "uuid"},
	{CARD_A "memory_mib = 12g\n", 9, "memory_mib"},
	{CARD_A "memory_mib = 0\n", 9, "memory_mib"},
	{CARD_A "memory_mib = -5\n", 9, "memory_mib"},
	{CARD_A "context_mib = half\n", 9, "context_mib"},
	{CARD_A "sm_count = 0\n", 9, "sm_count"},
	{CARD_A "colour = green\n", 9, "colour"},
	{CARD_A "uuid = GPU-1234\n", 9, "uuid"},
	{CARD_A "uuid = MIG-aaaaaaaa-0000-4000-8000-000000000001\n", 9, "uuid"},
	{CARD_A "pci = 3B:00.0\n", 9, "pci"},
	{CARD_A "health = ill\n", 9, "health"},
	{CARD_A "health = xid:0\n", 9, "health"},
	{CARD_A "mig_mode = 2\n", 9, "mig_mode"},
	{CARD_A "mig_slices = 3\n", 9, "mig_slices"},
	{CARD_A "mig_memory = 4864,much\n", 9, "mig_memory"},
	{CARD_A "mig_memory = 1,2,3,4,5\n", 9, "mig_memory"},
	{CARD_A "resets = -1\n", 9, "resets"},
	{CARD_A "temperature = hot\n", 9, "temperature"},
	{CARD_A "ns_per_iteration = 0\n", 9, "ns_per_iteration"},
	{CARD_A "ns_per_iteration = nan\n", 9, "ns_per_iteration"},
	{CARD_A "cuda_version = 13\n", 9, "cuda_version"},
	{CARD_A "nvlink = 1\n", 9, "nvlink"},
	{CARD_A "nvlink = 0\n", 9, "nvlink"},
	{CARD_A "name\n", 9, "name"},
	{CARD_A "[node]\n", 9, "[node]"},
	{CARD_A CARD_A, 16, "uuid"},
	{"memory_mib = 1\n" CARD_A, 1, "memory_mib"},
	{"clock = fast\n" CARD_A, 1, "clock"},
	{"timeslice_us = 0\n" CARD_A, 1, "timeslice_us"},
	{CARD_A "launch_ns = 1000001\n", 9, "launch_ns"},
	{CARD_A "nvml_lag_ms = 2001\n", 9, "nvml_lag_ms"},
};

/* What the reader writes to stderr about the file. */
static void read_fault(char *line, size_t size)
{
	static struct sim_config config;
	int ends[2], before = dup(STDERR_FILENO);
	OK(pipe(ends));
	dup2(ends[1], STDERR_FILENO);
	bool good = sim_config_read(machine_directory, &config);
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	EXPECT(false, good);
	ssize_t length = read(ends[0], line, size - 1);
	close(ends[0]);
	line[length < 0 ? 0 : length] = '\0';
}

static void expect_fault(const struct fault *fault)
{
	char line[512], expected[256];
	write_cards(fault->text);
	read_fault(line, sizeof line);
	snprintf(expected, sizeof expected, "hetero-sim: %s/cards.conf:%d: %s: ", machine_directory, fault->line,
		 fault->key);
	if (strncmp(expected, line, strlen(expected)) != 0)
		fprintf(stderr, "expected %s..., got %s", expected, line);
	EXPECT(0, strncmp(expected, line, strlen(expected)));
	EXPECT(strlen(line) - 1, strcspn(line, "\n"));
}

static void every_key_is_read(void)
{
	static struct sim_config config;
	write_cards("# a comment\ndriver_version = 570.1\ncuda_version = 12.8\n\n" CARD_A
		    "sm_count = 132\nclock_mhz = 1980\ncontext_mib = 500\ncompute_major = 9\ncompute_minor = 0\n"
		    "nvlink = 1, 1\nmig_mode = 1\nmig_memory = 4864, 9856\nresets = 3\nhealth = xid:48\nns_per_iteration = 2.5\n" CARD_B);
	EXPECT(true, sim_config_read(machine_directory, &config));
	const struct sim_card_config *card = &config.cards[0];
	EXPECT(2, config.count);
	EXPECT(12080, config.cuda_version);
	EXPECT_TEXT("570.1", config.driver_version);
	EXPECT_TEXT("Card A", card->name);
	EXPECT(0xaa, card->uuid_bytes[0]);
	EXPECT(1, card->uuid_bytes[15]);
	EXPECT(1024 * MIB, card->memory_bytes);
	EXPECT(500 * MIB, card->context_bytes);
	EXPECT(132, card->sm_count);
	EXPECT(1980, card->clock_mhz);
	EXPECT(0x3b, card->pci_bus);
	EXPECT(9, card->compute_major);
	EXPECT(2, card->nvlink_count);
	EXPECT(1, card->nvlink_peers[1]);
	EXPECT(SIM_XID, card->health);
	EXPECT(48, card->xid);
	EXPECT(true, card->ns_per_iteration == 2.5);
	EXPECT(1, card->mig_mode);
	EXPECT(7, card->mig_slices);
	EXPECT(9856, card->mig_memory[1]);
	EXPECT(0, card->mig_memory[2]);
	EXPECT(3, card->resets);
}

static void the_drivers_do_not_start_on_a_bad_file(void)
{
	write_cards("[card]\n");
	EXPECT(CUDA_ERROR_SYSTEM_NOT_READY, cuInit(0));
	EXPECT(CUDA_ERROR_SYSTEM_NOT_READY, cuInit(0));
	EXPECT(NVML_ERROR_UNKNOWN, nvmlInit_v2());
}

int main(void)
{
	use_machine("");
	every_key_is_read();
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		expect_fault(&faults[i]);
	in_child(the_drivers_do_not_start_on_a_bad_file);
	remove_machine();
	return 0;
}
