/* CUDA_VISIBLE_DEVICES: which cards a process sees, and in which order. */
#include "check.h"

#define UUID_A "GPU-aaaaaaaa-0000-4000-8000-000000000001"

static const struct choice {
	const char *variable;
	const char *names; /* of the visible cards; empty: cuInit finds no device */
} choices[] = {
	{NULL, "Card A,Card B,"},
	{"0", "Card A,"},
	{"1,0", "Card B,Card A,"},
	{"GPU-bbbb", "Card B,"},
	{"gpu-BBBB," UUID_A, "Card B,Card A,"},
	{"1,7,0", "Card B,"},
	{"0,0", "Card A,"},
	{"GPU-", ""},
	{"1x", ""},
	{"-1", ""},
	{"", ""},
	{"MIG-aaaa", ""},
};

static const struct choice *choice;

static void look(void)
{
	char names[256] = "", name[96];
	int count = 0;
	if (choice->variable)
		setenv("CUDA_VISIBLE_DEVICES", choice->variable, 1);
	EXPECT(*choice->names ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE, cuInit(0));
	if (!*choice->names)
		return;
	OK(cuDeviceGetCount(&count));
	for (int i = 0; i < count; i++) {
		OK(cuDeviceGetName(name, sizeof name, i));
		strcat(strcat(names, name), ",");
	}
	EXPECT_TEXT(choice->names, names);
	EXPECT(CUDA_ERROR_INVALID_DEVICE, cuDeviceGetName(name, sizeof name, count));
}

static void management_sees_all_cards(void)
{
	unsigned count;
	setenv("CUDA_VISIBLE_DEVICES", "1", 1);
	OK(nvmlInit_v2());
	OK(nvmlDeviceGetCount_v2(&count));
	EXPECT(2, count);
}

static void without_a_machine_there_is_no_driver(void)
{
	unsetenv("HETERO_SIM_DIR");
	EXPECT(CUDA_ERROR_NO_DEVICE, cuInit(0));
	EXPECT(NVML_ERROR_DRIVER_NOT_LOADED, nvmlInit_v2());
}

int main(void)
{
	use_machine(CARD_A CARD_B);
	for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
		choice = &choices[i];
		in_child(look);
	}
	in_child(management_sees_all_cards);
	in_child(without_a_machine_there_is_no_driver);
	remove_machine();
	return 0;
}
