/* A library that asks for what comes after itself, as preload libraries do. It stands behind libvgpu.so. */
#include <dlfcn.h>

void *ask_next(const char *name);
void *ask_next_version(const char *name, const char *version);

void *ask_next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

void *ask_next_version(const char *name, const char *version)
{
	return dlvsym(RTLD_NEXT, name, version);
}
