/* The driver's libraries, opened when a wrapper is first called: a program that never calls one never loads one. */
#include <dlfcn.h>
#include <pthread.h>

#include "shim.h"

#define CUDA_LIBRARY "libcuda.so.1"
#define NVML_LIBRARY "libnvidia-ml.so.1"

struct name {
	const char *symbol;
	size_t place;
};

static const struct name cuda_names[] = {CUDA_REAL_NAMES};
static const struct name nvml_names[] = {NVML_REAL_NAMES};

struct cuda_real cuda_table;
static struct nvml_real nvml;

static void fill(const char *library, const struct name *names, size_t count, void *table)
{
	const struct loader_real *real = loader_real();
	void *handle = real->dlopen(library, RTLD_LAZY | RTLD_LOCAL);
	for (size_t i = 0; handle && i < count; i++)
		*(void **)((char *)table + names[i].place) = real->dlsym(handle, names[i].symbol);
}

static bool loaded(const char *library)
{
	void *handle = loader_real()->dlopen(library, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
	if (handle)
		dlclose(handle);
	return handle != NULL;
}

bool cuda_loaded(void)
{
	return loaded(CUDA_LIBRARY);
}

bool nvml_loaded(void)
{
	return loaded(NVML_LIBRARY);
}

static void load_cuda(void)
{
	fill(CUDA_LIBRARY, cuda_names, sizeof cuda_names / sizeof *cuda_names, &cuda_table);
}

static void load_nvml(void)
{
	fill(NVML_LIBRARY, nvml_names, sizeof nvml_names / sizeof *nvml_names, &nvml);
}

const struct cuda_real *cuda_real(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, load_cuda);
	return &cuda_table;
}

const struct nvml_real *nvml_real(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, load_nvml);
	return &nvml;
}
