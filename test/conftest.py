"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

# Models of tests are tiny: threads of PyTorch would spend their time waiting for each other,
# the more so beside other tests. Set before PyTorch is imported; children inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _one_cache_a_run(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What models are compiled into that name no cache: one of the run, which all workers share.

    Equal code is built and tried once. Tests of caching, tuning and of first runs name their own.
    """
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANAO_CACHE_DIR", str(run / "canao-cache"))
        yield


SLOW_TESTS = Path(__file__).with_name("slow_tests.txt")
"""Tests of more than about five seconds that have quicker kin, a line each."""


def slow_tests() -> frozenset[str]:
    """The names in `SLOW_TESTS`."""
    lines = SLOW_TESTS.read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the list names as slow; a name without parameters means them all."""
    slow = slow_tests()
    for item in items:
        if item.nodeid in slow or item.nodeid.split("[")[0] in slow:
            item.add_marker(pytest.mark.slow)
