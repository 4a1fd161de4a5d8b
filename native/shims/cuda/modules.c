/*
 * Modules: the variables in one take memory of the device when it is loaded, and so does the heap of threads that allocate,
 * if it was made larger. Looked at only where memory is limited.
 */
#include "footprint.h"

struct loading {
	bool counts; /* false: nothing is charged */
	CUcontext context;
	struct footprint before;
};

static struct loading begin(void)
{
	struct loading loading = {.counts = false};
	CUdevice device;
	loading.counts = footprint_context(&loading.context, &device);
	if (loading.counts)
		loading.before = footprint_begin(device);
	return loading;
}

static CUresult loaded(const struct loading *loading, CUresult result, const CUmodule *module)
{
	if (!loading->counts)
		return result;
	slice_answered(loading->before.position, result);
	if (result == CUDA_SUCCESS && !footprint_charge(&loading->before, *module, loading->context)) {
		footprint_forget(*module);
		cuda_real()->cuModuleUnload(*module);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	footprint_end(&loading->before);
	return result;
}

CUresult hook_module_load(CUresult (*real)(CUmodule *, const char *), CUmodule *module, const char *path)
{
	struct loading loading = begin();
	return loaded(&loading, real(module, path), module);
}

CUresult hook_module_load_data(CUresult (*real)(CUmodule *, const void *), CUmodule *module, const void *image)
{
	struct loading loading = begin();
	return loaded(&loading, real(module, image), module);
}

CUresult hook_module_load_options(CUresult (*real)(CUmodule *, const void *, unsigned int, CUjit_option *, void **),
				  CUmodule *module, const void *image, unsigned int count, CUjit_option *options,
				  void **values)
{
	struct loading loading = begin();
	return loaded(&loading, real(module, image, count, options, values), module);
}

CUresult hook_module_unload(CUresult (*real)(CUmodule), CUmodule module)
{
	CUresult result = real(module);
	if (result == CUDA_SUCCESS)
		footprint_forget(module);
	return result;
}
