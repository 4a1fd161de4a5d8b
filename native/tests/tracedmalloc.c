/* A preloaded malloc as tracing tools have it: it looks for the C library's own when it is first called. */
#include <dlfcn.h>
#include <stddef.h>

void *malloc(size_t bytes)
{
	static void *(*real)(size_t);
	if (!real)
		real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	return real(bytes);
}
