/* hold: takes device memory and keeps it until it is killed. */
#include <unistd.h>

#include "common.h"

static const char usage[] = "usage: hold --mib N\nAllocates N MiB, prints \"holding\" and waits until it is killed.\n";

int main(int argc, char **argv)
{
	CUdeviceptr address;
	if (argc != 3 || strcmp(argv[1], "--mib") != 0) {
		fputs(usage, stderr);
		return 2;
	}
	uint64_t bytes = number_argument("--mib", argv[2], 1, 1 << 24) * MIB;
	use_device(0);
	CHECK(cuMemAlloc_v2(&address, bytes));
	printf("holding\n");
	fflush(stdout);
	for (;;)
		pause();
}
