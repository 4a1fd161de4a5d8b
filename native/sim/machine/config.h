/* What the simulated machine is made of: the parsed form of cards.conf. */
#ifndef HETERO_SIM_CONFIG_H
#define HETERO_SIM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_CARDS 16
#define SIM_PLACES 32 /* the cards, and then compute instances of them */
#define SIM_LINKS 18 /* of one card, as the management library numbers them */
#define SIM_MIB (1024ull * 1024ull)

enum sim_health { SIM_HEALTHY, SIM_XID, SIM_LOST };

struct sim_card_config {
	char uuid[64];            /* "GPU-" and 8-4-4-4-12 hexadecimal digits */
	uint8_t uuid_bytes[16];   /* the same, as the driver API returns it */
	char name[96];
	uint64_t memory_bytes;
	uint64_t context_bytes;   /* what a context takes of the card */
	int64_t sm_count;
	int64_t clock_mhz;
	int64_t numa;             /* -1: the machine has no NUMA nodes */
	uint32_t pci_domain, pci_bus, pci_device;
	int64_t minor;            /* N of /dev/nvidiaN */
	int64_t compute_major, compute_minor;
	uint32_t nvlink_peers[SIM_LINKS]; /* one entry per link, in the order of the links */
	uint32_t nvlink_count;
	int64_t mig_mode;         /* at first */
	int64_t mig_slices;       /* that it can be cut into: 7 or 4 */
	uint64_t mig_memory[4];   /* MiB of an instance with 1, 2, 4 and 8 memory slices; 0: reckoned */
	int64_t mig_same_uuids;   /* 1: an instance that is made again has its old identity; not known of real cards */
	int64_t resets;           /* how often it was reset since the machine was made */
	int64_t temperature, power; /* degrees Celsius, watts */
	enum sim_health health;
	uint32_t xid;
	double ns_per_iteration;  /* time of one iteration of a kernel named "work" */
};

struct sim_config {
	char path[4096];
	uint32_t count;
	char driver_version[80];
	int cuda_version;         /* 1000 * major + 10 * minor, as cuDriverGetVersion counts */
	bool virtual_clock;
	uint64_t timeslice_ns;    /* how long a card runs one process while another waits */
	uint64_t lag_ns;          /* how old what the management library tells of processes and their use is */
	uint64_t looks;           /* of NVML in a second; 0: it knows exactly */
	uint64_t launch_ns;       /* what a launch takes on the host, on the virtual clock only */
	struct sim_card_config cards[SIM_PLACES];
};

/*
 * Reads <directory>/cards.conf.  On a fault it returns false, having written
 * one line to stderr that names the file, the line and the key.
 */
bool sim_config_read(const char *directory, struct sim_config *config);

#endif
