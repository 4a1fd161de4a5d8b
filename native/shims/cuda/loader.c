/* The driver's libraries, opened when a wrapper is first called: a program that never calls one never loads one. */
#include <dlfcn.h>
#include <pthread.h>

#include "shim.h"

struct name {
	const char *symbol;
	size_t place;
};

static const struct name cuda_names[] = {CUDA_REAL_NAMES};
static const struct name nvml_names[] = {NVML_REAL_NAMES};

static struct cuda_real cuda;
static struct nvml_real nvml;

static void fill(const char *library, const struct name *names, size_t count, void *table)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
	void *(*lookup)(void *, const char *) = libc_dlsym();
	for (size_t i = 0; handle && lookup && i < count; i++)
		*(void **)((char *)table + names[i].place) = lookup(handle, names[i].symbol);
}

static void load_cuda(void)
{
	fill("libcuda.so.1", cuda_names, sizeof cuda_names / sizeof *cuda_names, &cuda);
}

static void load_nvml(void)
{
	fill("libnvidia-ml.so.1", nvml_names, sizeof nvml_names / sizeof *nvml_names, &nvml);
}

const struct cuda_real *cuda_real(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, load_cuda);
	return &cuda;
}

const struct nvml_real *nvml_real(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, load_nvml);
	return &nvml;
}
