/* The calls that launch a kernel, each in its form for either default stream. Around all of them stands pace.c. */
#include "pace.h"
#include "shim.h"

static struct stream_calls legacy(void)
{
	return (struct stream_calls){cuda_real()->cuEventRecord, cuda_real()->cuStreamIsCapturing};
}

static struct stream_calls per_thread(void)
{
	return (struct stream_calls){cuda_real()->cuEventRecord_ptsz, cuda_real()->cuStreamIsCapturing_ptsz};
}

typedef CUresult plain_call(CUfunction, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
			    unsigned int, unsigned int, CUstream, void **, void **);

static CUresult plain(const struct stream_calls *calls, plain_call *real, CUfunction function,
		      const unsigned int size[6], unsigned int shared_bytes, CUstream stream, void **parameters,
		      void **extra)
{
	struct paced paced = pace_before(calls, function, size, stream);
	return pace_after(&paced, real(function, size[0], size[1], size[2], size[3], size[4], size[5], shared_bytes,
				       stream, parameters, extra));
}

CUresult hook_launch_kernel(plain_call *real, CUfunction function, unsigned int grid_x, unsigned int grid_y,
			    unsigned int grid_z, unsigned int block_x, unsigned int block_y, unsigned int block_z,
			    unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
	const struct stream_calls calls = legacy();
	const unsigned int size[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return plain(&calls, real, function, size, shared_bytes, stream, parameters, extra);
}

CUresult hook_launch_kernel_ptsz(plain_call *real, CUfunction function, unsigned int grid_x, unsigned int grid_y,
				 unsigned int grid_z, unsigned int block_x, unsigned int block_y, unsigned int block_z,
				 unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
	const struct stream_calls calls = per_thread();
	const unsigned int size[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return plain(&calls, real, function, size, shared_bytes, stream, parameters, extra);
}

typedef CUresult extended_call(const CUlaunchConfig *, CUfunction, void **, void **);

static CUresult extended(const struct stream_calls *calls, extended_call *real, const CUlaunchConfig *config,
			 CUfunction function, void **parameters, void **extra)
{
	if (!config)
		return real(config, function, parameters, extra); /* the driver says what is wrong */
	const unsigned int size[6] = {config->gridDimX,  config->gridDimY,  config->gridDimZ,
				      config->blockDimX, config->blockDimY, config->blockDimZ};
	struct paced paced = pace_before(calls, function, size, config->hStream);
	return pace_after(&paced, real(config, function, parameters, extra));
}

CUresult hook_launch_extended(extended_call *real, const CUlaunchConfig *config, CUfunction function,
			      void **parameters, void **extra)
{
	const struct stream_calls calls = legacy();
	return extended(&calls, real, config, function, parameters, extra);
}

CUresult hook_launch_extended_ptsz(extended_call *real, const CUlaunchConfig *config, CUfunction function,
				   void **parameters, void **extra)
{
	const struct stream_calls calls = per_thread();
	return extended(&calls, real, config, function, parameters, extra);
}

typedef CUresult cooperative_call(CUfunction, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
				  unsigned int, unsigned int, CUstream, void **);

static CUresult cooperative(const struct stream_calls *calls, cooperative_call *real, CUfunction function,
			    const unsigned int size[6], unsigned int shared_bytes, CUstream stream, void **parameters)
{
	struct paced paced = pace_before(calls, function, size, stream);
	return pace_after(&paced, real(function, size[0], size[1], size[2], size[3], size[4], size[5], shared_bytes,
				       stream, parameters));
}

CUresult hook_launch_cooperative(cooperative_call *real, CUfunction function, unsigned int grid_x,
				 unsigned int grid_y, unsigned int grid_z, unsigned int block_x, unsigned int block_y,
				 unsigned int block_z, unsigned int shared_bytes, CUstream stream, void **parameters)
{
	const struct stream_calls calls = legacy();
	const unsigned int size[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return cooperative(&calls, real, function, size, shared_bytes, stream, parameters);
}

CUresult hook_launch_cooperative_ptsz(cooperative_call *real, CUfunction function, unsigned int grid_x,
				      unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
				      unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,
				      CUstream stream, void **parameters)
{
	const struct stream_calls calls = per_thread();
	const unsigned int size[6] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
	return cooperative(&calls, real, function, size, shared_bytes, stream, parameters);
}
