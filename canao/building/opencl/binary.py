"""Building OpenCL programs, once: binaries in the cache, by device and driver."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence

from canao.building.cache import Cache, CacheEntry, digest
from canao.building.first_run import TIME_LIMIT, run_module
from canao.building.library import Library
from canao.building.opencl.child import REFUSED, UNBUILT
from canao.building.trial_inputs import write_examples
from canao.errors import DeviceError, ExecutionError, ToolchainError
from canao.machine.device_record import OpenCLDevice
from canao.runtime.module import Array
from canao.runtime.opencl.job import Job

_DOUBLE = re.compile(r"\bdouble\d*\b")
_SOURCE, _BINARY, _JOB = "program.cl", "program.bin", "job.json"
_EXAMPLES = "examples.safetensors"


def binary_key(source: str, job: Job) -> str:
    """The hash of everything that decides a binary."""
    words = (*job.device.identity, *job.device.options)
    return digest("opencl", source, *words, job.to_json(described=False))


def build_binary(
    source: str,
    job: Job,
    cache: Cache,
    examples: Sequence[Array] = (),
    *,
    time_limit: float = TIME_LIMIT,
) -> Library:
    """The binary of a text, built and run once in a child unless the cache has it.

    It runs on `examples`, the flat inputs of the program, or else on zeros.
    `ToolchainError` if the driver's compiler refuses it, `ExecutionError` if
    building or running it crashes or hangs, `DeviceError` if it does not fit.
    """
    if not job.device.float64 and _DOUBLE.search(source):
        raise DeviceError(
            f"the model computes in float64, which {job.device.name} does not have; "
            "convert the model to float32, or choose another device"
        )
    key = binary_key(source, job)
    with cache.lock(key):
        found = cache.find(key)
        if found is not None:
            return Library(found.file(_BINARY), key, 0.0)
        start = time.perf_counter()
        entry = _build(source, job, cache, key, examples, time_limit)
    return Library(entry.file(_BINARY), key, time.perf_counter() - start)


def store_source(source: str, cache: Cache) -> Library:
    """A text in the cache, for a child process that builds it itself."""
    key = digest("opencl source", source)
    with cache.lock(key):
        found = cache.find(key) or cache.store(key, {_SOURCE: source.encode()}, {})
    return Library(found.file(_SOURCE), key, 0.0)


def _build(
    source: str,
    job: Job,
    cache: Cache,
    key: str,
    examples: Sequence[Array],
    time_limit: float,
) -> CacheEntry:
    with cache.scratch() as room:
        paths = [room / name for name in (_JOB, _SOURCE, _BINARY, _EXAMPLES)]
        try:
            for path, text in zip(paths, (job.to_json(), source), strict=False):
                path.write_text(text, encoding="utf-8")
            write_examples(paths[-1], examples)
        except OSError as error:
            raise cache.error(error) from error
        _run_child([str(path) for path in paths], job.device, time_limit)
        files = {_SOURCE: paths[1], _BINARY: paths[2]}
        return cache.store(key, files, {"device": job.device.name, "driver": job.device.driver})


def _run_child(arguments: list[str], device: OpenCLDevice, time_limit: float) -> None:
    advice = "update its driver, choose another device, or report the model"
    child = run_module(
        "canao.building.opencl.child",
        arguments,
        time_limit,
        f"building and running the model on {device.name} did not end within {time_limit:g} s "
        f"and was stopped; {advice}",
    )
    if not child.returncode:
        return
    said = child.stderr.strip()
    if child.returncode == UNBUILT:
        raise ToolchainError(said)
    if child.returncode == REFUSED:
        raise DeviceError(said)
    last = f": {said.splitlines()[-1]}" if said else ""
    raise ExecutionError(
        f"building or running the model on {device.name} {_ended(child.returncode)}{last}; {advice}"
    )


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    names = {known.value: known.name for known in signal.Signals}
    return f"crashed ({names.get(-status, f'signal {-status}')})"
