"""The browser of the tests: Chromium of the machine, without a screen, a profile of its own each time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

PACKAGES = ("chromium", "fonts-wqy-microhei")
"""Of Debian; the font is for the pages in Chinese."""

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing is drawn by a GPU, and nothing is fetched but what a test asks for."""


def find() -> str:
    """The program: that of HETERO_CHROMIUM, or the first of the usual names; empty where there is none."""
    named = os.environ.get("HETERO_CHROMIUM", "")
    return named or next((path for name in NAMES if (path := shutil.which(name))), "")


def installed() -> str:
    """The program, installed where it is not there and may be: by root, on a Debian; empty where there is none."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Chromium", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", *PACKAGES], check=False, **quiet)
    return find()


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser. For root its sandbox is off, as Chromium asks for; all that it opens is this machine's."""
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find(), headless=True, args=flags)
        try:
            yield started
        finally:
            started.close()
