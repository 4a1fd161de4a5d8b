/*
 * RTLD_NEXT with the library preloaded: the answer is relative to the program that asks, not to the library that passes
 * the question on. Seen from the program the next dlsym is the library's own; seen from the library, the C library's.
 * Run with LD_PRELOAD=libvgpu.so.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *home_of(const void *address)
{
	Dl_info info;
	const char *slash = dladdr(address, &info) ? strrchr(info.dli_fname, '/') : NULL;
	return slash ? slash + 1 : "nowhere";
}

int main(void)
{
	const char *ours = home_of(dlsym(RTLD_NEXT, "dlsym")), *libc = home_of(dlsym(RTLD_NEXT, "malloc"));
	printf("dlsym is from %s, malloc from %s\n", ours, libc);
	if (strcmp(ours, "libvgpu.so") != 0 || strncmp(libc, "libc", 4) != 0)
		return 1;
	return dlsym(RTLD_NEXT, "no_such_function") != NULL;
}
