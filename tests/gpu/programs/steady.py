"""Keeps a card busy with kernels of one length, some ahead, and tells when each of them had ended.

Usage: ``steady.py ITERATIONS AHEAD``. It says ``{"ready": true}`` when all is made, waits for a line ``BEGIN SECONDS``
(CLOCK_MONOTONIC), and answers with JSON: when it began and when each kernel had ended, in ns.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time

from small_cuda import call, kernel, launch_words, retain


def say(answer: object) -> None:
    """One line of JSON."""
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Make ready, wait for the moment, and launch until the time is over."""
    iterations, ahead = map(int, sys.argv[1:3])
    retain()
    words = launch_words(kernel(), iterations)
    events = [ctypes.c_void_p() for _ in range(ahead)]
    for event in events:
        call("cuEventCreate", ctypes.byref(event), 2)
    say({"ready": True})
    for line in sys.stdin:
        begin, seconds = map(float, line.split())
        time.sleep(max(0.0, begin - time.monotonic()))
        begun = time.monotonic_ns()
        say({"begun": begun, "ended": launched(words, events, begun + int(seconds * 1e9))})


def launched(words: tuple[object, ...], events: list[ctypes.c_void_p], until: int) -> list[int]:
    """When each of the kernels had ended that were launched until then."""
    ended: list[int] = []
    count = 0

    def wait() -> None:
        call("cuEventSynchronize", events[len(ended) % len(events)])
        ended.append(time.monotonic_ns())

    while time.monotonic_ns() < until:
        if count - len(ended) == len(events):
            wait()
        call("cuLaunchKernel", *words)
        call("cuEventRecord", events[count % len(events)], None)
        count += 1
    while len(ended) < count:
        wait()
    return ended


if __name__ == "__main__":
    main()
