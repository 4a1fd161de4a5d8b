"""What a launch of an empty kernel takes the host, round by round: one round for each line that comes in.

Prints JSON: the median of the round's launches in ns, each timed by itself; the call through Python is in it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from small_cuda import call, cuda, kernel, launch_words, retain

ROWS = 40
IN_A_ROW = 50  # launches before the card is waited for: its queue never fills


def times(words: tuple[object, ...]) -> list[int]:
    """Of the launches of one round."""
    launch, clock, taken = cuda.cuLaunchKernel, time.perf_counter_ns, []
    for _ in range(ROWS):
        for _ in range(IN_A_ROW):
            before = clock()
            launch(*words)
            taken.append(clock() - before)
        call("cuCtxSynchronize")
    return taken


if __name__ == "__main__":
    retain()
    empty = launch_words(kernel("nothing"), 0)
    times(empty)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"ns": statistics.median(times(empty))}), flush=True)
