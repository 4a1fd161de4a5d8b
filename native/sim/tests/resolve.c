/* cuGetProcAddress: the variant that a program built for some version of the API has to get. */
#include <dlfcn.h>

#include "check.h"

#define NONE CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
#define UNKNOWN CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
#define PER_THREAD CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM

static const struct question {
	const char *name;
	int version;
	cuuint64_t flags;
	const char *symbol; /* NULL: none, and the status says why */
	int status;
} questions[] = {
	{"cuMemAlloc", 12000, 0, "cuMemAlloc_v2", 0},
	{"cuMemAlloc", 3020, 0, "cuMemAlloc_v2", 0},
	{"cuMemAlloc", 3010, 0, "cuMemAlloc", 0},
	{"cuCtxCreate", 3010, 0, "cuCtxCreate", 0},
	{"cuCtxCreate", 3020, 0, "cuCtxCreate_v2", 0},
	{"cuCtxCreate", 11030, 0, "cuCtxCreate_v2", 0},
	{"cuCtxCreate", 11040, 0, "cuCtxCreate_v3", 0},
	{"cuCtxCreate", 13000, 0, "cuCtxCreate_v4", 0},
	{"cuGetProcAddress", 11030, 0, "cuGetProcAddress", 0},
	{"cuGetProcAddress", 12000, 0, "cuGetProcAddress_v2", 0},
	{"cuLaunchKernel", 12000, 0, "cuLaunchKernel", 0},
	{"cuLaunchKernel", 12000, CU_GET_PROC_ADDRESS_LEGACY_STREAM, "cuLaunchKernel", 0},
	{"cuLaunchKernel", 12000, PER_THREAD, "cuLaunchKernel_ptsz", 0},
	{"cuLaunchKernel", 5000, PER_THREAD, NULL, NONE},
	{"cuMemcpyHtoD", 12000, PER_THREAD, "cuMemcpyHtoD_v2_ptds", 0},
	{"cuMemAllocAsync", 11020, PER_THREAD, "cuMemAllocAsync_ptsz", 0},
	{"cuMemAllocAsync", 11010, 0, NULL, NONE},
	{"cuMemAlloc", 12000, PER_THREAD, "cuMemAlloc_v2", 0},
	{"cuMemAlloc_v2", 12000, 0, NULL, UNKNOWN},
	{"cuNoSuchCall", 12000, 0, NULL, UNKNOWN},
};

static void ask(const struct question *question)
{
	void *address = (void *)1;
	CUdriverProcAddressQueryResult status = (CUdriverProcAddressQueryResult)77;
	OK(cuGetProcAddress_v2(question->name, &address, question->version, question->flags, &status));
	void *expected = question->symbol ? dlsym(RTLD_DEFAULT, question->symbol) : NULL;
	if (address != expected)
		fprintf(stderr, "%s at %d with %d\n", question->name, question->version, (int)question->flags);
	EXPECT((intptr_t)expected, (intptr_t)address);
	EXPECT(question->status, status);
}

int main(void)
{
	void *address;
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
		ask(&questions[i]);
	EXPECT(CUDA_ERROR_NOT_FOUND, cuGetProcAddress("cuNoSuchCall", &address, 12000, 0));
	EXPECT(CUDA_ERROR_NOT_FOUND, cuGetProcAddress_v2("cuNoSuchCall", &address, 12000, 0, NULL));
	OK(cuGetProcAddress("cuInit", &address, 12000, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGetProcAddress(NULL, &address, 12000, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGetProcAddress("cuInit", &address, 12000, 64));
	OK(cuGetProcAddress("cuInit", &address, 13000, 0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuGetProcAddress("cuInit", &address, 13010, 0)); /* newer than the driver */
	return 0;
}
