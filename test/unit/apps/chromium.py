"""Debian's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser that asks nothing of the network by itself.

    While it is open an event loop runs in the thread of the tests, so others have it closed.
    """
    program = shutil.which("chromium")
    assert program is not None
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield started
        started.close()
