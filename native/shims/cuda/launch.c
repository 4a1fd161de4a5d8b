/*
 * Launches: wait while the slice's time is overdrawn, charge what the kernel is predicted to take, and measure some launches, so that
 * the predictions are right. Compute fails open: what cannot be measured is launched all the same.
 *
 * Work in flight is bounded, since time is charged before a launch and not when it is over: a slice is never further
 * ahead than its burst, one launch of each thread, and UNKNOWN_AHEAD launches of a kind that was never measured.
 */
#include <time.h>

#include "estimate.h"
#include "samples.h"
#include "shim.h"

/* Without a limit one launch in so many is measured and stands for all of them, so that the slice's use is known
 * and the others cost nothing. A prime, so that it does not keep step with a program's own rhythm. */
#define UNLIMITED_EVERY 61
/* Launches of an unknown kind that may be queued before one of them has ended... */
#define UNKNOWN_AHEAD 8
/* ...and for how long a further one is held at most: a kernel may be waiting for the very one that is held. */
#define PATIENCE_NS 100000000
#define LOOK_NS 500000

struct stream_calls {
	CUresult (*record)(CUevent, CUstream);
	CUresult (*capturing)(CUstream, CUstreamCaptureStatus *);
};

/* What is to be done around a launch and after it. */
struct ticket {
	struct sample *sample; /* NULL: not measured */
	int64_t charged;       /* ns, in advance */
};

static uint64_t key_of(CUfunction function, const unsigned int geometry[6])
{
	uint64_t key = (uint64_t)(uintptr_t)function;
	for (int i = 0; i < 6; i++)
		key = (key ^ geometry[i]) * 0x9E3779B97F4A7C15u;
	return key ^ key >> 29;
}

static void rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

/* Holds back the launches of a kind of which many are queued and none has ended yet. */
static void await_first(struct hetero_region *region, uint64_t key)
{
	for (int looks = PATIENCE_NS / LOOK_NS; looks > 0; looks--) {
		samples_lock();
		samples_collect(region);
		bool known = estimate_suffices(estimate_of(key), UNKNOWN_AHEAD);
		samples_unlock();
		if (known)
			return;
		rest();
	}
}

static void count_launches(struct hetero_region *region, unsigned position, unsigned launches)
{
	atomic_fetch_add_explicit(&region->devices[position].launches, launches, memory_order_relaxed);
}

/* Charges the prediction for one launch and says whether it is to be measured. */
static struct ticket account(struct hetero_region *region, unsigned position, uint64_t key)
{
	struct ticket ticket = {0};
	samples_lock();
	samples_collect(region);
	struct estimate *estimate = estimate_of(key);
	if (estimate_wants_sample(estimate))
		ticket.sample = samples_begin(key, position, 0);
	ticket.charged = estimate_charge(estimate);
	samples_unlock();
	count_launches(region, position, 1);
	hetero_pacer_charge(region, position, ticket.charged);
	return ticket;
}

/* The same where there is no limit: one measurement stands for many launches. */
static struct ticket observe(struct hetero_region *region, unsigned position)
{
	struct ticket ticket = {0};
	samples_lock();
	samples_collect(region);
	ticket.sample = samples_begin(0, position, UNLIMITED_EVERY);
	samples_unlock();
	count_launches(region, position, UNLIMITED_EVERY);
	return ticket;
}

/* A launch that failed took no time, and what its events would tell is nothing to learn from. */
static void settle(struct hetero_region *region, unsigned position, const struct ticket *ticket, bool launched,
		   bool recorded)
{
	if (ticket->sample) {
		samples_lock();
		samples_end(ticket->sample, recorded);
		samples_unlock();
	}
	if (!launched && ticket->charged)
		hetero_pacer_charge(region, position, -ticket->charged);
}

static bool any_limited(const struct hetero_region *region)
{
	for (unsigned position = 0; position < HETERO_DEVICES; position++)
		if (hetero_pacer_limits(region, position))
			return true;
	return false;
}

static bool observers_turn(void)
{
	static _Thread_local unsigned passed;
	passed = (passed + 1) % UNLIMITED_EVERY;
	return !passed;
}

/* False when this launch goes without a look at the slice. The device is asked for only when it matters. */
static bool concerns(const struct hetero_region *region, unsigned *position)
{
	bool turn = !any_limited(region);
	if (turn && !observers_turn())
		return false;
	if (!slice_current_device(position) || *position >= HETERO_DEVICES)
		return false;
	return turn || hetero_pacer_limits(region, *position) || observers_turn();
}

/* A stream that is being captured runs nothing: neither wait nor events belong there. One that must not even be asked is not
 * to be touched either. */
static bool captured(const struct stream_calls *calls, CUstream stream)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	return calls->capturing &&
	       (calls->capturing(stream, &status) != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE);
}

static struct ticket admit(struct hetero_region *region, unsigned position, uint64_t key)
{
	if (!hetero_pacer_limits(region, position))
		return observe(region, position);
	hetero_pacer_wait(region, position);
	await_first(region, key);
	return account(region, position, key);
}

typedef CUresult launch_call(CUfunction, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
			     unsigned int, unsigned int, CUstream, void **, void **);

static CUresult launch(const struct stream_calls *calls, launch_call *real, CUfunction function,
		       const unsigned int geometry[6], unsigned int shared_bytes, CUstream stream, void **parameters,
		       void **extra)
{
	struct hetero_region *region = slice_region();
	struct ticket ticket = {0};
	unsigned position = 0;
	if (region && concerns(region, &position) && !captured(calls, stream))
		ticket = admit(region, position, key_of(function, geometry));
	bool recorded = ticket.sample && calls->record(ticket.sample->start, stream) == CUDA_SUCCESS;
	CUresult result = real(function, geometry[0], geometry[1], geometry[2], geometry[3], geometry[4], geometry[5],
			       shared_bytes, stream, parameters, extra);
	bool launched = result == CUDA_SUCCESS;
	recorded = recorded && launched && calls->record(ticket.sample->end, stream) == CUDA_SUCCESS;
	settle(region, position, &ticket, launched, recorded);
	return result;
}

CUresult hook_launch_kernel(launch_call *real, CUfunction function, unsigned int grid_x, unsigned int grid_y,
			    unsigned int grid_z, unsigned int block_x, unsigned int block_y, unsigned int block_z,
			    unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
	const struct stream_calls calls = {cuda_real()->cuEventRecord, cuda_real()->cuStreamIsCapturing};
	const unsigned int geometry[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return launch(&calls, real, function, geometry, shared_bytes, stream, parameters, extra);
}

CUresult hook_launch_kernel_ptsz(launch_call *real, CUfunction function, unsigned int grid_x, unsigned int grid_y,
				 unsigned int grid_z, unsigned int block_x, unsigned int block_y, unsigned int block_z,
				 unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
	const struct stream_calls calls = {cuda_real()->cuEventRecord_ptsz, cuda_real()->cuStreamIsCapturing_ptsz};
	const unsigned int geometry[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return launch(&calls, real, function, geometry, shared_bytes, stream, parameters, extra);
}
