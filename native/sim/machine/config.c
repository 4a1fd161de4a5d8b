/*
 * cards.conf: one [card] section for each card, "key = value" lines, '#' starts
 * a comment line.  A fault is told in one line and refused as a whole: a card
 * that differs from the file would make every test on it worthless.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parser {
	struct sim_config *config;
	struct sim_card_config *card; /* NULL before the first section */
	int line;
};

static bool fault(const struct parser *parser, const char *key, const char *why)
{
	fprintf(stderr, "hetero-sim: %s:%d: %s: %s\n", parser->config->path, parser->line, key, why);
	return false;
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	char *end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static bool whole_number(const char *text, int64_t low, int64_t high, int64_t *out)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < low || value > high)
		return false;
	*out = value;
	return true;
}

/* One row for each key whose value is a whole number. */
static const struct number_key {
	const char *name;
	size_t offset;
	int64_t low, high;
} number_keys[] = {
	{"sm_count", offsetof(struct sim_card_config, sm_count), 1, 100000},
	{"clock_mhz", offsetof(struct sim_card_config, clock_mhz), 1, 100000},
	{"numa", offsetof(struct sim_card_config, numa), -1, 1023},
	{"minor", offsetof(struct sim_card_config, minor), 0, 1048575},
	{"compute_major", offsetof(struct sim_card_config, compute_major), 1, 99},
	{"compute_minor", offsetof(struct sim_card_config, compute_minor), 0, 9},
	{"mig_mode", offsetof(struct sim_card_config, mig_mode), 0, 1},
	{"mig_slices", offsetof(struct sim_card_config, mig_slices), 4, 7},
	{"mig_same_uuids", offsetof(struct sim_card_config, mig_same_uuids), 0, 1},
	{"resets", offsetof(struct sim_card_config, resets), 0, 1000000},
	{"temperature", offsetof(struct sim_card_config, temperature), 0, 200},
	{"power", offsetof(struct sim_card_config, power), 0, 10000},
};

static const struct number_key *number_key(const char *name)
{
	for (size_t i = 0; i < sizeof number_keys / sizeof number_keys[0]; i++)
		if (strcmp(number_keys[i].name, name) == 0)
			return &number_keys[i];
	return NULL;
}

static bool set_number(struct parser *parser, const struct number_key *key, const char *value)
{
	int64_t *field = (int64_t *)((char *)parser->card + key->offset);
	char why[96];
	if (whole_number(value, key->low, key->high, field))
		return true;
	snprintf(why, sizeof why, "expected a whole number from %lld to %lld", (long long)key->low,
		 (long long)key->high);
	return fault(parser, key->name, why);
}

static bool set_mebibytes(struct parser *parser, const char *key, const char *value, int64_t low, uint64_t *bytes)
{
	int64_t mebibytes;
	if (!whole_number(value, low, 16ll << 20, &mebibytes))
		return fault(parser, key, low ? "expected MiB, a whole number from 1 to 16777216"
					      : "expected MiB, a whole number from 0 to 16777216");
	*bytes = (uint64_t)mebibytes * SIM_MIB;
	return true;
}

static bool hexadecimal_byte(const char *text, uint8_t *out)
{
	unsigned value;
	if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
	    sscanf(text, "%2x", &value) != 1)
		return false;
	*out = (uint8_t)value;
	return true;
}

static bool uuid_bytes(const char *text, uint8_t bytes[16])
{
	int filled = 0;
	for (; *text && filled < 16; text += 2) {
		bool dash_here = filled == 4 || filled == 6 || filled == 8 || filled == 10;
		if (dash_here && *text++ != '-')
			return false;
		if (!hexadecimal_byte(text, &bytes[filled++]))
			return false;
	}
	return filled == 16 && *text == '\0';
}

static bool set_uuid(struct parser *parser, const char *value)
{
	if (strncmp(value, "GPU-", 4) != 0 || !uuid_bytes(value + 4, parser->card->uuid_bytes))
		return fault(parser, "uuid", "expected GPU- and 8-4-4-4-12 hexadecimal digits");
	snprintf(parser->card->uuid, sizeof parser->card->uuid, "%s", value);
	return true;
}

static bool set_name(struct parser *parser, const char *value)
{
	if (!*value || strlen(value) >= sizeof parser->card->name)
		return fault(parser, "name", "expected 1 to 95 characters");
	snprintf(parser->card->name, sizeof parser->card->name, "%s", value);
	return true;
}

static bool set_pci(struct parser *parser, const char *value)
{
	struct sim_card_config *card = parser->card;
	unsigned function;
	char rest;
	int read = sscanf(value, "%8x:%2x:%2x.%1u%c", &card->pci_domain, &card->pci_bus, &card->pci_device, &function,
			  &rest);
	if (read != 4 || card->pci_device > 31 || function != 0)
		return fault(parser, "pci", "expected an address such as 00000000:3B:00.0");
	return true;
}

static bool set_health(struct parser *parser, const char *value)
{
	struct sim_card_config *card = parser->card;
	int64_t xid = 0;
	bool has_xid = strncmp(value, "xid:", 4) == 0 && whole_number(value + 4, 1, 65535, &xid);
	if (!has_xid && strcmp(value, "ok") != 0 && strcmp(value, "lost") != 0)
		return fault(parser, "health", "expected ok, lost or xid:<number from 1 to 65535>");
	card->health = has_xid ? SIM_XID : value[0] == 'l' ? SIM_LOST : SIM_HEALTHY;
	card->xid = (uint32_t)xid;
	return true;
}

static bool set_nvlink(struct parser *parser, char *value)
{
	struct sim_card_config *card = parser->card;
	char *rest = NULL;
	card->nvlink_count = 0;
	for (char *item = strtok_r(value, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
		int64_t peer;
		if (card->nvlink_count == SIM_LINKS || !whole_number(trim(item), 0, SIM_CARDS - 1, &peer))
			return fault(parser, "nvlink", "expected card indexes separated by commas, 18 at most");
		card->nvlink_peers[card->nvlink_count++] = (uint32_t)peer;
	}
	return true;
}

static bool set_mig_memory(struct parser *parser, char *value)
{
	char *rest = NULL;
	int count = 0;
	for (char *item = strtok_r(value, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
		int64_t mebibytes;
		if (count == 4 || !whole_number(trim(item), 1, 16ll << 20, &mebibytes))
			return fault(parser, "mig_memory", "expected MiB separated by commas, 4 at most");
		parser->card->mig_memory[count++] = (uint64_t)mebibytes;
	}
	return true;
}

static bool set_iteration_time(struct parser *parser, const char *value)
{
	char *end;
	double number = strtod(value, &end);
	if (end == value || *end || !(number > 0 && number <= 1e9))
		return fault(parser, "ns_per_iteration", "expected nanoseconds, above 0 and at most 1e9");
	parser->card->ns_per_iteration = number;
	return true;
}

static bool set_cuda_version(struct parser *parser, const char *value)
{
	unsigned major, minor;
	char rest;
	if (sscanf(value, "%3u.%2u%c", &major, &minor, &rest) != 2)
		return fault(parser, "cuda_version", "expected major.minor, such as 13.0");
	parser->config->cuda_version = (int)(major * 1000 + minor * 10);
	return true;
}

static bool set_driver_version(struct parser *parser, const char *value)
{
	if (!*value || strlen(value) >= sizeof parser->config->driver_version)
		return fault(parser, "driver_version", "expected 1 to 79 characters");
	snprintf(parser->config->driver_version, sizeof parser->config->driver_version, "%s", value);
	return true;
}

static bool set_clock(struct parser *parser, const char *value)
{
	parser->config->virtual_clock = strcmp(value, "virtual") == 0;
	if (!parser->config->virtual_clock && strcmp(value, "real") != 0)
		return fault(parser, "clock", "expected real or virtual");
	return true;
}

static bool set_duration(struct parser *parser, const char *key, const char *value, int64_t low, int64_t high,
			 uint64_t unit_ns, uint64_t *ns)
{
	int64_t count;
	char why[96];
	snprintf(why, sizeof why, "expected a whole number from %lld to %lld", (long long)low, (long long)high);
	if (!whole_number(value, low, high, &count))
		return fault(parser, key, why);
	*ns = (uint64_t)count * unit_ns;
	return true;
}

static bool set_card_key(struct parser *parser, const char *key, char *value)
{
	const struct number_key *number = number_key(key);
	if (number)
		return set_number(parser, number, value);
	if (strcmp(key, "uuid") == 0)
		return set_uuid(parser, value);
	if (strcmp(key, "name") == 0)
		return set_name(parser, value);
	if (strcmp(key, "memory_mib") == 0)
		return set_mebibytes(parser, key, value, 1, &parser->card->memory_bytes);
	if (strcmp(key, "context_mib") == 0)
		return set_mebibytes(parser, key, value, 0, &parser->card->context_bytes);
	if (strcmp(key, "pci") == 0)
		return set_pci(parser, value);
	if (strcmp(key, "health") == 0)
		return set_health(parser, value);
	if (strcmp(key, "nvlink") == 0)
		return set_nvlink(parser, value);
	if (strcmp(key, "ns_per_iteration") == 0)
		return set_iteration_time(parser, value);
	if (strcmp(key, "mig_memory") == 0)
		return set_mig_memory(parser, value);
	return fault(parser, key, "unknown key");
}

/* What the machine has once: such a line may stand above the first section or in any. */
static bool set_machine_key(struct parser *parser, const char *key, const char *value, bool *known)
{
	struct sim_config *config = parser->config;
	*known = true;
	if (strcmp(key, "driver_version") == 0)
		return set_driver_version(parser, value);
	if (strcmp(key, "cuda_version") == 0)
		return set_cuda_version(parser, value);
	if (strcmp(key, "clock") == 0)
		return set_clock(parser, value);
	if (strcmp(key, "timeslice_us") == 0)
		return set_duration(parser, key, value, 1, 1000000, 1000, &config->timeslice_ns);
	if (strcmp(key, "launch_ns") == 0)
		return set_duration(parser, key, value, 0, 1000000, 1, &config->launch_ns);
	if (strcmp(key, "nvml_lag_ms") == 0)
		return set_duration(parser, key, value, 0, 2000, 1000000, &config->lag_ns);
	if (strcmp(key, "nvml_looks") == 0)
		return set_duration(parser, key, value, 0, 1000, 1, &config->looks);
	*known = false;
	return true;
}

static bool set_key(struct parser *parser, const char *key, char *value)
{
	bool known;
	if (!set_machine_key(parser, key, value, &known))
		return false;
	if (known)
		return true;
	if (!parser->card)
		return fault(parser, key, "stands before the first [card]");
	return set_card_key(parser, key, value);
}

static bool begin_card(struct parser *parser)
{
	struct sim_config *config = parser->config;
	if (config->count == SIM_CARDS)
		return fault(parser, "[card]", "a machine has 16 cards at most");
	uint32_t index = config->count++;
	parser->card = &config->cards[index];
	*parser->card = (struct sim_card_config){
		.sm_count = 28, .clock_mhz = 1777, .numa = -1, .pci_bus = index + 1, .minor = index,
		.compute_major = 8, .compute_minor = 6, .ns_per_iteration = 1000, .mig_slices = 7,
		.temperature = 40, .power = 60,
	};
	return true;
}

static bool complete(struct parser *parser)
{
	if (!parser->card)
		return true;
	if (!parser->card->uuid[0])
		return fault(parser, "uuid", "missing in the [card] section that ends here");
	if (!parser->card->name[0])
		return fault(parser, "name", "missing in the [card] section that ends here");
	if (!parser->card->memory_bytes)
		return fault(parser, "memory_mib", "missing in the [card] section that ends here");
	return true;
}

static bool parse_line(struct parser *parser, char *text)
{
	text = trim(text);
	if (!*text || *text == '#')
		return true;
	if (*text == '[') {
		if (strcmp(text, "[card]") != 0)
			return fault(parser, text, "unknown section, expected [card]");
		return complete(parser) && begin_card(parser);
	}
	char *equals = strchr(text, '=');
	if (!equals)
		return fault(parser, text, "expected key = value");
	*equals = '\0';
	return set_key(parser, trim(text), trim(equals + 1));
}

static bool same_place(const struct sim_card_config *a, const struct sim_card_config *b)
{
	return a->pci_domain == b->pci_domain && a->pci_bus == b->pci_bus && a->pci_device == b->pci_device;
}

static bool check_pair(struct parser *parser, uint32_t first, uint32_t second)
{
	const struct sim_card_config *a = &parser->config->cards[first], *b = &parser->config->cards[second];
	if (strcasecmp(a->uuid, b->uuid) == 0)
		return fault(parser, "uuid", "two cards have the same");
	if (a->minor == b->minor)
		return fault(parser, "minor", "two cards have the same");
	if (same_place(a, b))
		return fault(parser, "pci", "two cards have the same");
	return true;
}

static bool check_links(struct parser *parser, uint32_t index)
{
	const struct sim_card_config *card = &parser->config->cards[index];
	for (uint32_t link = 0; link < card->nvlink_count; link++)
		if (card->nvlink_peers[link] >= parser->config->count || card->nvlink_peers[link] == index)
			return fault(parser, "nvlink", "names a card that the machine does not have, or the card itself");
	return true;
}

static bool check_machine(struct parser *parser)
{
	if (!parser->config->count)
		return fault(parser, "[card]", "the machine has no card");
	for (uint32_t second = 0; second < parser->config->count; second++) {
		if (!check_links(parser, second))
			return false;
		for (uint32_t first = 0; first < second; first++)
			if (!check_pair(parser, first, second))
				return false;
	}
	return true;
}

static bool parse(struct parser *parser, FILE *file)
{
	char text[1024];
	while (fgets(text, sizeof text, file)) {
		parser->line++;
		if (!strchr(text, '\n') && !feof(file))
			return fault(parser, "line", "longer than 1022 characters");
		if (!parse_line(parser, text))
			return false;
	}
	return complete(parser) && check_machine(parser);
}

bool sim_config_read(const char *directory, struct sim_config *config)
{
	*config = (struct sim_config){.driver_version = "580.159.04", .cuda_version = 13000,
				       .timeslice_ns = 2000000};
	struct parser parser = {.config = config};
	int length = snprintf(config->path, sizeof config->path, "%s/cards.conf", directory);
	if (length < 0 || (size_t)length >= sizeof config->path)
		return fault(&parser, "HETERO_SIM_DIR", "the path is too long");
	FILE *file = fopen(config->path, "re");
	if (!file)
		return fault(&parser, "file", strerror(errno));
	bool good = parse(&parser, file);
	fclose(file);
	return good;
}
