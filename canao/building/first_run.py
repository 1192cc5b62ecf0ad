"""The first run of freshly built code, in a child process with a time limit.

If the code crashes or hangs, the child does, and the caller gets an error. The
child sees the example inputs, and zeros for weights: only whether it ends well
matters, so that a check which fails on them is no error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from canao.building.cache import Cache, digest
from canao.building.library import Library
from canao.building.trial_inputs import fill_with_examples, write_examples
from canao.errors import CanaoError, ExecutionError, FailedCheckError
from canao.package import ROOT
from canao.program import Program, TensorSpec
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array, NativeModule, pointers

TIME_LIMIT = 120.0
"""Seconds that the first run may take, the start of Python included."""

_EXAMPLES = "examples.safetensors"
"""The file of inputs beside the job; of none, where the child makes zeros."""

_REFUSED = 3
"""Exit status of a child in which the module reported an error."""


def try_first_run(
    library: Library,
    program: Program,
    cache: Cache,
    examples: Sequence[Array] = (),
    *,
    threads: int | None = None,
    time_limit: float = TIME_LIMIT,
) -> bool:
    """Run new code once in a child; `ExecutionError` if it crashes, hangs or fails.

    It runs on `examples`, the flat inputs of the program, or else on zeros.
    Code that passed before is not run again; returns whether it was run.
    """
    job: dict[str, Any] = {
        "library": str(library.path),
        "threads": threads or program.threads,
        "arena_bytes": program.arena_bytes,
        "calls": len(program.calls),
        "inputs": [spec.in_memory() for spec in program.inputs],
        "outputs": [spec.in_memory() for spec in program.outputs],
        "weights": [spec.in_memory() for spec in program.weights],
    }
    key = digest("first run", library.key, json.dumps({**job, "library": ""}))
    if cache.note(key) is not None:
        return False
    _run_child(job, examples, cache, time_limit)
    cache.set_note(key, "passed\n")
    return True


def _run_child(
    job: dict[str, Any], examples: Sequence[Array], cache: Cache, time_limit: float
) -> None:
    with cache.scratch() as room:
        path = room / "job.json"
        try:
            path.write_text(json.dumps(job), encoding="utf-8")
            write_examples(room / _EXAMPLES, examples)
        except OSError as error:
            raise cache.error(error) from error
        child = run_module(
            "canao.building.first_run",
            [str(path)],
            time_limit,
            f"the compiled model did not end its first run within {time_limit:g} s and was "
            "stopped; compile with tune='off' or fewer threads, or report the model",
        )
    if child.returncode:
        raise ExecutionError(_explain(child))


def run_module(
    module: str, arguments: Sequence[str], time_limit: float, too_late: str
) -> subprocess.CompletedProcess[str]:
    """Run a module of canao in a child; `ExecutionError(too_late)` if it takes longer."""
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExecutionError(too_late) from None


def child_environment() -> dict[str, str]:
    """The environment, with the package that runs here first on the module path."""
    root = str(ROOT.parent)
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, others] if others else [root])}


def _explain(child: subprocess.CompletedProcess[str]) -> str:
    said = child.stderr.strip().splitlines()
    if child.returncode == _REFUSED and said:
        return said[-1]
    advice = "compile with tune='off' or another compiler (CC), or report the model"
    if child.returncode < 0:
        number = -child.returncode
        named = {known.value: known.name for known in signal.Signals}
        name = named.get(number, f"signal {number}")
        return f"the compiled model crashed in its first run ({name}); {advice}"
    last = f": {said[-1]}" if said else ""
    return (
        f"the first run of the compiled model ended with status {child.returncode}{last}; {advice}"
    )


def _specs(rows: Sequence[dict[str, Any]]) -> list[TensorSpec]:
    return [TensorSpec(row["name"], row["dtype"], tuple(row["shape"])) for row in rows]


def _zeros(rows: Sequence[dict[str, Any]]) -> list[Array]:
    arrays = [lasting_empty(spec.shape, spec.dtype) for spec in _specs(rows)]
    for array in arrays:
        array.fill(0)
    return arrays


def run_job(path: Path) -> None:
    """What the child does: load the library and run it."""
    job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    module = NativeModule(
        Path(job["library"]),
        _zeros(job["weights"]),
        int(job["arena_bytes"]),
        int(job["threads"]),
        int(job["calls"]),
    )
    inputs, outputs = _zeros(job["inputs"]), _zeros(job["outputs"])
    fill_with_examples(inputs, path.with_name(_EXAMPLES))
    inputs_at = pointers([array.ctypes.data for array in inputs])
    outputs_at = pointers([array.ctypes.data for array in outputs])
    for run in (module.run, module.profile):
        # code runs to its end where a check fails
        with suppress(FailedCheckError):
            run(inputs_at, outputs_at)
    module.close()


def main(arguments: Sequence[str]) -> int:
    """Entry of the child process: the path of the job is its only argument."""
    try:
        run_job(Path(arguments[0]))
    except CanaoError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
