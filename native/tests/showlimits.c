/* What the runtime makes of a limits file, as lines that a test in another language compares: showlimits FILE */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "hetero/runtime.h"

int main(int count, char **arguments)
{
	static struct hetero_limits limits;
	if (count != 2 || !hetero_limits_read(arguments[1], geteuid(), &limits))
		return 2;
	if (limits.malformed)
		return 1;
	printf("slice %s\nregion %s\n", limits.slice_id, limits.region);
	for (unsigned i = 0; i < HETERO_DEVICES; i++)
		printf("%" PRIu64 " %u %u %u %u %s\n", limits.memory[i], limits.cores[i], limits.policy[i],
		       limits.priority[i], limits.flags[i], limits.uuid[i]);
	return 0;
}
