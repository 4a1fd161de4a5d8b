/* What stands around every launch, whichever call makes it (pace.c). */
#ifndef HETERO_SHIM_PACE_H
#define HETERO_SHIM_PACE_H

#include "cuda_abi.h"

/* The driver's calls on a stream, in the form for the default stream that the launch uses. */
struct stream_calls {
	CUresult (*record)(CUevent, CUstream);
	CUresult (*capturing)(CUstream, CUstreamCaptureStatus *);
};

/* A launch that was let through. */
struct paced {
	CUevent end; /* to be recorded behind it; NULL when it is not measured */
	CUstream stream;
	const struct stream_calls *calls;
};

/* Waits while the slice's time is overdrawn and charges the launch. Geometry is grid and block, x to z. */
struct paced pace_before(const struct stream_calls *calls, CUfunction function, const unsigned int geometry[6],
			 CUstream stream);

/* Call it as soon as the driver has taken the launch. */
void pace_after(const struct paced *paced);

#endif
