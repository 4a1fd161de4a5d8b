/*
 * The ledger against the card: whatever a program allocates and frees, by whichever call, thread and order, the slice
 * is charged what the card has lost to the process. Runs with the library preloaded, on two simulated cards whose
 * contexts take nothing.
 */
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "machine/machine.h"
#include "paths.h"

#define CARDS 2
#define SECOND_CARD                                                                       \
	"[card]\nuuid = GPU-bbbbbbbb-0000-4000-8000-000000000002\nname = Card B\n"          \
	"memory_mib = 1024\npci = 00000000:AF:00.0\nminor = 1\nns_per_iteration = 1000\n"
#define KIB 1024ull
#define LIMIT (600 * MIB + 12345) /* no multiple of anything */

static struct sim_machine machine;
static CUcontext contexts[CARDS];

/* What the card says that this process has taken of it. */
static uint64_t lost(int card)
{
	const struct sim_process *processes = machine.state->processes;
	for (int i = 0; i < SIM_PROCESSES; i++)
		if (processes[i].taken && processes[i].pid == (uint32_t)getpid())
			return processes[i].memory[card];
	return 0;
}

static uint64_t charged(int card)
{
	size_t free_bytes, total;
	OK(cuCtxPushCurrent_v2(contexts[card]));
	OK(cuMemGetInfo_v2(&free_bytes, &total));
	OK(cuCtxPopCurrent_v2(NULL));
	EXPECT(LIMIT, total);
	return total - free_bytes;
}

static void expect_charged(uint64_t mib, int card)
{
	EXPECT(mib * MIB, charged(card));
	EXPECT(mib * MIB, lost(card));
}

static void expect_honest(void)
{
	for (int card = 0; card < CARDS; card++)
		EXPECT(lost(card), charged(card));
}

static void expect_nothing(void)
{
	OK(cuCtxSynchronize()); /* a pool gives its memory back */
	for (int card = 0; card < CARDS; card++)
		expect_charged(0, card);
}

static void start(void)
{
	for (int card = CARDS - 1; card >= 0; card--)
		contexts[card] = use_card(card);
	EXPECT(SIM_OPENED, sim_machine_open(&machine));
}

static void every_path_is_charged_what_the_card_loses(void)
{
	static const size_t sizes[] = {4 * KIB, 512 * KIB, 700000, MIB, MIB + 1, 2 * MIB, 5 * MIB, 64 * MIB};
	CUdeviceptr held[5];
	start();
	for (size_t path = 0; path < paths_count; path++)
		for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
			const struct paths_api *api = &paths[path];
			size_t bytes = sizes[size];
			bool whole = strcmp(api->name, "create") == 0 || strcmp(api->name, "mapped") == 0;
			bool rows = strncmp(api->name, "array3", 6) == 0 || strcmp(api->name, "mipmap") == 0;
			if (api->old || (whole && bytes % (2 * MIB)) || (rows && bytes < 2 * MIB))
				continue;
			for (int i = 0; i < 5; i++) {
				OK(api->allocate(&held[i], bytes));
				expect_honest();
			}
			for (int i = 0; i < 5; i++) {
				OK(api->release(held[i], bytes));
				expect_honest();
			}
			expect_nothing();
		}
}

static void the_old_calls_are_charged_too(void)
{
	CUdeviceptr_v1 one, two;
	unsigned int pitch;
	start();
	OK(cuCtxCreate(&contexts[0], 0, 0));
	OK(cuMemAlloc(&one, (unsigned int)(3 * MIB)));
	expect_charged(4, 0);
	OK(cuMemAllocPitch(&two, &pitch, 1000, 10000, 4));
	expect_charged(4 + 10, 0);
	OK(cuMemFree(one));
	OK(cuMemFree_v2(two));
	expect_nothing();
}

static void any_legal_counterpart_gives_back(void)
{
	CUdeviceptr plain, small, pooled;
	CUmemoryPool pool;
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	start();
	OK(cuMemPoolCreate(&pool, &properties));
	OK(cuMemAlloc_v2(&plain, 8 * MIB));
	OK(cuMemAlloc_v2(&small, 600));
	OK(cuMemAllocFromPoolAsync(&pooled, 40 * MIB, pool, NULL));
	expect_charged(8 + 2 + 64, 0);
	OK(cuMemFreeAsync(plain, NULL));
	OK(cuMemFreeAsync(small, NULL));
	OK(cuMemFree_v2(pooled));
	expect_honest();
	OK(cuMemPoolTrimTo(pool, 0));
	expect_charged(0, 0);
	OK(cuMemPoolDestroy(pool));
}

/* What the driver refuses to free stays charged, and only once. */
static void frees_that_fail_change_nothing(void)
{
	CUdeviceptr large, small, other;
	start();
	OK(cuMemAlloc_v2(&large, 8 * MIB));
	OK(cuMemAlloc_v2(&small, 600));
	OK(cuMemAlloc_v2(&other, 600));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(large + 512));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(small + 1));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(0xdead00000));
	OK(cuMemFree_v2(0));
	expect_charged(10, 0);
	OK(cuMemFree_v2(small));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(small));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFreeAsync(small, NULL));
	expect_charged(10, 0);
	OK(cuMemFree_v2(other));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(other));
	OK(cuMemFree_v2(large));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(large));
	expect_nothing();
}

static void the_device_is_the_memorys_not_the_current_one(void)
{
	CUmemAllocationProp second = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 1}};
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = second.location};
	CUmemGenericAllocationHandle handle;
	CUdeviceptr plain, async, pooled;
	CUmemoryPool pool;
	CUstream stream;
	start();
	OK(cuCtxSetCurrent(contexts[1]));
	OK(cuStreamCreate(&stream, 0));
	OK(cuMemAlloc_v2(&plain, 8 * MIB));
	OK(cuMemPoolCreate(&pool, &properties));
	OK(cuCtxSetCurrent(contexts[0]));
	OK(cuMemCreate(&handle, 16 * MIB, &second, 0));
	OK(cuMemAllocAsync(&async, MIB, stream));
	OK(cuMemAllocFromPoolAsync(&pooled, 33 * MIB, pool, stream));
	expect_charged(0, 0);
	expect_charged(8 + 16 + 32 + 64, 1);
	OK(cuMemFree_v2(plain));
	OK(cuMemRelease(handle));
	OK(cuMemFreeAsync(async, stream));
	OK(cuMemFreeAsync(pooled, stream));
	OK(cuStreamSynchronize(stream));
	expect_charged(0, 1);
}

static void a_pool_is_charged_what_it_has_reserved(void)
{
	CUmemoryPool pool;
	CUdeviceptr one, two;
	uint64_t all = UINT64_MAX;
	start();
	OK(cuDeviceGetDefaultMemPool(&pool, 0));
	OK(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all));
	OK(cuMemAllocAsync(&one, 600, NULL));
	OK(cuMemAllocAsync(&two, 100 * MIB, NULL));
	expect_charged(128, 0);
	OK(cuMemFreeAsync(one, NULL));
	OK(cuMemFreeAsync(two, NULL));
	OK(cuCtxSynchronize());
	expect_charged(128, 0); /* kept for the next */
	OK(cuMemPoolTrimTo(pool, 32 * MIB));
	expect_charged(32, 0);
	OK(cuMemPoolTrimTo(pool, 0));
	expect_charged(0, 0);
}

/*
 * Of 600 MiB a pool can have 18 chunks; what is free in them is still given, and what it gave back makes room for
 * others.
 */
static void a_full_slice_still_gives_what_a_pool_has(void)
{
	CUdeviceptr pieces[36], one;
	start();
	for (int i = 0; i < 36; i++)
		OK(cuMemAllocAsync(&pieces[i], 16 * MIB, NULL));
	expect_charged(576, 0);
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAllocAsync(&one, 16 * MIB, NULL));
	OK(cuMemFreeAsync(pieces[5], NULL));
	OK(cuMemAllocAsync(&pieces[5], 10 * MIB, NULL));
	expect_charged(576, 0);
	for (int i = 0; i < 36; i++)
		OK(cuMemFreeAsync(pieces[i], NULL));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&one, 500 * MIB));
	OK(cuCtxSynchronize());
	OK(cuMemAlloc_v2(&one, 500 * MIB));
	expect_charged(500, 0);
	OK(cuMemFree_v2(one));
	expect_nothing();
}

/* The driver finds no gap for it and would grow: what it took is given back at once, and the call refused. */
static void a_pool_that_would_outgrow_the_slice_is_cut_back(void)
{
	CUdeviceptr pieces[72], one;
	start();
	for (int i = 0; i < 72; i++)
		OK(cuMemAllocAsync(&pieces[i], 8 * MIB, NULL));
	for (int i = 0; i < 72; i += 4)
		OK(cuMemFreeAsync(pieces[i], NULL));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAllocAsync(&one, 16 * MIB, NULL));
	expect_charged(576, 0);
	for (int i = 0; i < 72; i++)
		if (i % 4)
			OK(cuMemFreeAsync(pieces[i], NULL));
	expect_nothing();
}

static void a_destroyed_pool_is_charged_until_its_last_is_freed(void)
{
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemoryPool pool;
	CUdeviceptr one, two;
	start();
	for (int round = 0; round < 3; round++) {
		OK(cuMemPoolCreate(&pool, &properties));
		OK(cuMemAllocFromPoolAsync(&one, 64 * MIB, pool, NULL));
		OK(cuMemAllocFromPoolAsync(&two, 64 * MIB, pool, NULL));
		OK(cuMemPoolDestroy(pool));
		EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAllocFromPoolAsync(&two, MIB, pool, NULL));
		EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemPoolDestroy(pool));
		EXPECT(128 * MIB, charged(0));
		OK(cuMemFreeAsync(one, NULL));
		expect_honest();
		OK(cuMemFreeAsync(two, NULL));
		expect_honest();
		expect_nothing();
	}
}

/* What was freed in a stream may stay with the device until the stream is there; who allocates from the device's pool gets the
 * first one again. */
static void a_pool_that_is_destroyed_in_use_is_charged_what_is_left(void)
{
	CUmemPoolProps properties = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};
	CUmemoryPool pool, default_pool, current;
	CUdeviceptr one, two;
	start();
	OK(cuDeviceGetDefaultMemPool(&default_pool, 0));
	for (int round = 0; round < 3; round++) {
		OK(cuMemPoolCreate(&pool, &properties));
		OK(cuDeviceSetMemPool(0, pool));
		OK(cuMemAllocAsync(&one, 64 * MIB, NULL));
		OK(cuMemPoolDestroy(pool));
		OK(cuDeviceGetMemPool(&current, 0));
		EXPECT(true, current == default_pool);
		OK(cuMemAllocAsync(&two, 32 * MIB, NULL));
		EXPECT(96 * MIB, charged(0));
		OK(cuMemFreeAsync(two, NULL));
		OK(cuMemFreeAsync(one, NULL));
		OK(cuMemPoolCreate(&pool, &properties));
		OK(cuMemAllocFromPoolAsync(&one, 64 * MIB, pool, NULL));
		OK(cuMemFreeAsync(one, NULL));
		OK(cuMemPoolDestroy(pool));
		expect_honest();
		expect_nothing();
	}
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemPoolDestroy(default_pool));
}

static const CUmemAllocationProp first = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
					  .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0}};

static void physical_memory_is_charged_while_anything_refers_to_it(void)
{
	CUmemGenericAllocationHandle one, two, again;
	CUdeviceptr address;
	start();
	OK(cuMemCreate(&one, 8 * MIB, &first, 0));
	OK(cuMemCreate(&two, 8 * MIB, &first, 0));
	OK(cuMemAddressReserve(&address, 16 * MIB, 0, 0, 0));
	OK(cuMemMap(address, 8 * MIB, 0, one, 0));
	OK(cuMemMap(address + 8 * MIB, 8 * MIB, 0, two, 0));
	OK(cuMemRelease(one));
	OK(cuMemRelease(two));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemRelease(two));
	expect_charged(16, 0);
	OK(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)(address + 8 * MIB)));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemUnmap(address, 12 * MIB));
	OK(cuMemUnmap(address, 16 * MIB));
	expect_charged(8, 0);
	OK(cuMemRelease(again));
	expect_charged(0, 0);
	OK(cuMemAddressFree(address, 16 * MIB));
}

static void memory_behind_a_descriptor_stays_charged_once(void)
{
	CUmemGenericAllocationHandle handle, imported;
	int descriptor;
	start();
	OK(cuMemCreate(&handle, 8 * MIB, &first, 0));
	OK(cuMemExportToShareableHandle(&descriptor, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	OK(cuMemRelease(handle));
	expect_charged(8, 0);
	OK(cuMemImportFromShareableHandle(&imported, (void *)(intptr_t)descriptor,
					  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
	close(descriptor);
	expect_charged(8, 0);
	OK(cuMemRelease(imported));
	expect_charged(0, 0);
	OK(cuMemCreate(&handle, 8 * MIB, &first, 0));
	OK(cuMemExportToShareableHandle(&descriptor, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	OK(cuMemRelease(handle));
	close(descriptor);
	expect_charged(0, 0);
}

static CUarrayMapInfo part_of(CUarray array, unsigned int row, CUmemGenericAllocationHandle handle)
{
	CUarrayMapInfo part = {.resource.array = array, .memOperationType = CU_MEM_OPERATION_TYPE_MAP,
			       .memHandle.memHandle = handle, .deviceBitMask = 1};
	part.subresource.sparseLevel.offsetY = row;
	part.subresource.sparseLevel.extentWidth = part.subresource.sparseLevel.extentHeight = 1024;
	return part;
}

static void memory_in_a_sparse_array_stays_charged(void)
{
	CUDA_ARRAY3D_DESCRIPTOR sparse = {4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_SPARSE};
	CUmemGenericAllocationHandle one, two, three;
	CUarray array;
	start();
	OK(cuArray3DCreate_v2(&array, &sparse));
	OK(cuMemCreate(&one, 4 * MIB, &first, 0));
	OK(cuMemCreate(&two, 8 * MIB, &first, 0));
	OK(cuMemCreate(&three, 16 * MIB, &first, 0));
	CUarrayMapInfo parts[] = {part_of(array, 0, one), part_of(array, 1024, two)};
	CUarrayMapInfo instead = part_of(array, 0, three), nothing = part_of(array, 0, 0xdead);
	OK(cuMemMapArrayAsync(parts, 2, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemMapArrayAsync(&nothing, 1, NULL));
	OK(cuMemRelease(one));
	OK(cuMemRelease(two));
	expect_charged(28, 0);
	OK(cuMemMapArrayAsync(&instead, 1, NULL)); /* one is nowhere any more */
	OK(cuMemRelease(three));
	expect_charged(24, 0);
	parts[1].memOperationType = CU_MEM_OPERATION_TYPE_UNMAP;
	OK(cuMemMapArrayAsync(&parts[1], 1, NULL));
	expect_charged(16, 0);
	OK(cuArrayDestroy(array));
	expect_charged(0, 0);
}

/* What a context takes along when it goes, and what it leaves. */
static void the_end_of_a_context_ends_what_is_in_it(void)
{
	CUDA_ARRAY3D_DESCRIPTOR sparse = {4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_SPARSE};
	CUmemGenericAllocationHandle mapped, created;
	CUdeviceptr held[8];
	CUarray array;
	size_t count = 0;
	start();
	for (size_t path = 0; path < paths_count; path++)
		if (!paths[path].old && strcmp(paths[path].name, "create") != 0 && strcmp(paths[path].name, "mapped") != 0 &&
		    count < 8)
			OK(paths[path].allocate(&held[count++], 4 * MIB));
	OK(cuArray3DCreate_v2(&array, &sparse));
	OK(cuMemCreate(&mapped, 4 * MIB, &first, 0));
	OK(cuMemCreate(&created, 8 * MIB, &first, 0));
	CUarrayMapInfo part = part_of(array, 0, mapped);
	OK(cuMemMapArrayAsync(&part, 1, NULL));
	OK(cuMemRelease(mapped));
	expect_honest();
	OK(cuDevicePrimaryCtxReset_v2(0));
	contexts[0] = use_card(0);
	expect_charged(8, 0);
	OK(cuMemRelease(created));
	expect_charged(0, 0);
}

static void arrays_that_take_nothing_are_charged_nothing(void)
{
	CUDA_ARRAY3D_DESCRIPTOR sparse = {4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_SPARSE};
	CUDA_ARRAY3D_DESCRIPTOR deferred = {4096, 4096, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_DEFERRED_MAPPING};
	CUarray one, two;
	start();
	OK(cuArray3DCreate_v2(&one, &sparse));
	OK(cuArray3DCreate_v2(&two, &deferred));
	expect_charged(0, 0);
	OK(cuArrayDestroy(one));
	OK(cuArrayDestroy(two));
	EXPECT(CUDA_ERROR_INVALID_HANDLE, cuArrayDestroy(two));
}

static void host_memory_is_not_charged(void)
{
	void *one, *two;
	CUmemAllocationProp host = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
				    .location = {.type = CU_MEM_LOCATION_TYPE_HOST, .id = 0}};
	CUmemGenericAllocationHandle handle;
	start();
	OK(cuMemHostAlloc(&one, 64 * MIB, 0));
	OK(cuMemAllocHost_v2(&two, 64 * MIB));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemCreate(&handle, 2 * MIB, &host, 0));
	expect_charged(0, 0);
	OK(cuMemFreeHost(one));
	OK(cuMemFreeHost(two));
}

/* One thing that is held, by any path. */
struct piece {
	const struct paths_api *api;
	CUdeviceptr held;
	size_t bytes;
};

static size_t random_bytes(const struct paths_api *api, unsigned *seed)
{
	static const size_t most[] = {5 * KIB, MIB, 3 * MIB, 40 * MIB};
	bool whole = strcmp(api->name, "create") == 0 || strcmp(api->name, "mapped") == 0;
	size_t least = strcmp(api->name, "mipmap") == 0 ? MIB : strcmp(api->name, "array3d") == 0 ? 512 * KIB : 4 * KIB;
	size_t bytes = 1 + (size_t)rand_r(seed) % most[rand_r(seed) % 4];
	if (whole)
		return (bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
	return bytes < least ? least : bytes; /* a row, a layer, two levels */
}

static void change(struct piece *piece, unsigned *seed)
{
	if (piece->api) {
		OK(piece->api->release(piece->held, piece->bytes));
		piece->api = NULL;
		return;
	}
	const struct paths_api *api = &paths[(size_t)rand_r(seed) % paths_count];
	if (api->old)
		return;
	piece->bytes = random_bytes(api, seed);
	CUresult result = api->allocate(&piece->held, piece->bytes);
	if (result == CUDA_SUCCESS)
		piece->api = api;
	else
		EXPECT(CUDA_ERROR_OUT_OF_MEMORY, result);
}

static void clear(struct piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pieces[i].api)
			OK(pieces[i].api->release(pieces[i].held, pieces[i].bytes));
}

/* Full most of the time, so that refusals and their ways back are among it. */
static void any_sequence_is_charged_what_the_card_loses(void)
{
	static struct piece pieces[200];
	start();
	for (unsigned seed = 1; seed <= 5; seed++) {
		unsigned state = seed;
		memset(pieces, 0, sizeof pieces);
		for (int step = 0; step < 3000; step++) {
			change(&pieces[(size_t)rand_r(&state) % 200], &state);
			if (step % 50 == 0)
				OK(cuCtxSynchronize());
			expect_honest();
			EXPECT(true, lost(0) <= LIMIT);
		}
		clear(pieces, 200);
		expect_nothing();
	}
}

static void *run_thread(void *argument)
{
	struct piece pieces[40] = {0};
	unsigned state = (unsigned)(uintptr_t)argument;
	OK(cuCtxSetCurrent(contexts[0]));
	for (int step = 0; step < 4000; step++)
		change(&pieces[(size_t)rand_r(&state) % 40], &state);
	clear(pieces, 40);
	return NULL;
}

static void threads_lose_no_charge(void)
{
	pthread_t threads[4];
	start();
	for (uintptr_t i = 0; i < 4; i++)
		OK(pthread_create(&threads[i], NULL, run_thread, (void *)(i + 1)));
	for (int i = 0; i < 4; i++)
		OK(pthread_join(threads[i], NULL));
	expect_nothing();
}

/* One call of each sequence goes wrong; what it is about comes from the file of faults. */
static const char *const faulty_calls[] = {
	"cuMemAlloc_v2", "cuMemAllocManaged", "cuMemAllocPitch_v2", "cuMemFree_v2", "cuMemAllocAsync",
	"cuMemAllocFromPoolAsync", "cuMemFreeAsync", "cuMemPoolGetAttribute", "cuMemCreate", "cuMemMap", "cuMemUnmap",
	"cuMemRelease", "cuArrayCreate_v2", "cuArray3DCreate_v2", "cuArrayDestroy", "cuMipmappedArrayCreate",
	"cuMipmappedArrayDestroy", "cuDeviceGetMemPool",
};

static void write_faults(const char *call, const char *action)
{
	char path[96];
	snprintf(path, sizeof path, "%s/faults", machine_directory);
	FILE *file = fopen(path, "w");
	EXPECT(true, file != NULL);
	fprintf(file, "%s 5 %s\n", call, action);
	EXPECT(0, fclose(file));
}

static void remove_faults(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/faults", machine_directory);
	unlink(path);
}

/* Like `change`, where any call may fail: then nothing has changed. */
static void change_or_fail(struct piece *piece, unsigned *seed)
{
	if (piece->api) {
		if (piece->api->release(piece->held, piece->bytes) == CUDA_SUCCESS)
			piece->api = NULL;
		return;
	}
	const struct paths_api *api = &paths[(size_t)rand_r(seed) % paths_count];
	if (api->old)
		return;
	piece->bytes = random_bytes(api, seed);
	if (api->allocate(&piece->held, piece->bytes) == CUDA_SUCCESS)
		piece->api = api;
}

static void run_with_a_fault(void)
{
	static struct piece pieces[40];
	unsigned seed = 7;
	start();
	for (int step = 0; step < 1000; step++) {
		change_or_fail(&pieces[(size_t)rand_r(&seed) % 40], &seed);
		EXPECT(true, lost(0) <= LIMIT);
	}
	expect_honest();
	clear(pieces, 40);
	OK(cuCtxSynchronize());
	expect_honest(); /* a fault may have left the program something that it knows no address of */
}

static void a_call_that_fails_leaves_no_charge_behind(void)
{
	for (size_t i = 0; i < sizeof faulty_calls / sizeof *faulty_calls; i++) {
		write_faults(faulty_calls[i], "fail 999");
		in_child(run_with_a_fault);
	}
	remove_faults();
}

static void expect_all_of_it(void)
{
	start();
	expect_nothing();
}

static void a_process_that_dies_in_a_call_leaves_no_charge_behind(void)
{
	static const char *const actions[] = {"die", "die-after"};
	for (size_t i = 0; i < sizeof faulty_calls / sizeof *faulty_calls; i++) {
		int status;
		write_faults(faulty_calls[i], actions[i % 2]);
		EXPECT(true, waitpid(start_child(run_with_a_fault), &status, 0) > 0);
		EXPECT(SIGKILL, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		remove_faults();
		in_child(expect_all_of_it);
	}
}

int main(void)
{
	char region[96], limit[32];
	use_machine(CARD_A SECOND_CARD);
	snprintf(region, sizeof region, "%s/region", machine_directory);
	snprintf(limit, sizeof limit, "%llu", (unsigned long long)LIMIT);
	setenv("CUDA_DEVICE_MEMORY_SHARED_CACHE", region, 1);
	setenv("CUDA_DEVICE_MEMORY_LIMIT", limit, 1);
	in_child(every_path_is_charged_what_the_card_loses);
	in_child(the_old_calls_are_charged_too);
	in_child(any_legal_counterpart_gives_back);
	in_child(frees_that_fail_change_nothing);
	in_child(the_device_is_the_memorys_not_the_current_one);
	in_child(a_pool_is_charged_what_it_has_reserved);
	in_child(a_full_slice_still_gives_what_a_pool_has);
	in_child(a_pool_that_would_outgrow_the_slice_is_cut_back);
	in_child(a_destroyed_pool_is_charged_until_its_last_is_freed);
	in_child(a_pool_that_is_destroyed_in_use_is_charged_what_is_left);
	in_child(physical_memory_is_charged_while_anything_refers_to_it);
	in_child(memory_behind_a_descriptor_stays_charged_once);
	in_child(memory_in_a_sparse_array_stays_charged);
	in_child(the_end_of_a_context_ends_what_is_in_it);
	in_child(arrays_that_take_nothing_are_charged_nothing);
	in_child(host_memory_is_not_charged);
	in_child(any_sequence_is_charged_what_the_card_loses);
	in_child(threads_lose_no_charge);
	a_call_that_fails_leaves_no_charge_behind();
	a_process_that_dies_in_a_call_leaves_no_charge_behind();
	unlink(region);
	remove_machine();
	return 0;
}
