"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator

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
