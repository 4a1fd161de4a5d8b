/* What stands around every launch, whichever call makes it (pace.c). */
#ifndef HETERO_SHIM_PACE_H
#define HETERO_SHIM_PACE_H

#include "cuda_abi.h"
#include "samples.h"

/* The driver's calls on a stream, in the form for the default stream that the launch uses. */
struct stream_calls {
	CUresult (*record)(CUevent, CUstream);
	CUresult (*capturing)(CUstream, CUstreamCaptureStatus *);
};

/* A launch that was let through. */
struct paced {
	const struct stream_calls *calls;
	CUstream stream;
	struct sample *sample; /* NULL when it is not measured */
	bool started;          /* the sample's first event is recorded */
	unsigned position;     /* of the device in the slice */
	int64_t charged;       /* ns, in advance */
};

/* Waits while the slice's time is overdrawn and charges the launch. Geometry is grid and block, x to z. */
struct paced pace_before(const struct stream_calls *calls, CUfunction function, const unsigned int geometry[6],
			 CUstream stream);

/* Call it as soon as the driver has answered; returns that answer. */
CUresult pace_after(const struct paced *paced, CUresult result);

#endif
