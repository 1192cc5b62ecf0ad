"""The child's side of the protocol between `canao bench` and a peer's process.

Runs with the Python of the peer's environment, so it needs numpy and nothing of
canao. Lines of JSON go both ways: the first line on standard input is the job,
then come requests; each is answered by one line on what standard output was at
the start. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Run = Callable[[], Any]
"""One inference on the inputs of the case; what it returns goes to `Served.outputs`."""


@dataclass(frozen=True)
class Job:
    """What to convert or to serve."""

    model: Path
    """Directory with `config.json` and `model.safetensors`."""
    case: Path
    """Directory with the inputs: one `.npy` file each."""
    converted: Path
    """Directory that `convert` writes and `load` reads."""
    threads: int
    options: dict[str, Any]
    """What tells runners of one script apart."""

    def inputs(self) -> dict[str, Array]:
        """The inputs in the order of their names in the model's signature."""
        names: list[str] = json.loads((self.case / "case.json").read_text())["inputs"]
        return {name: np.load(self.case / f"{name}.npy", allow_pickle=False) for name in names}


@dataclass(frozen=True)
class Served:
    """A loaded model: one inference, and the arrays in what it returned."""

    run: Run
    outputs: Callable[[Any], Sequence[Array]]
    take: Callable[[Job], None] | None = None
    """Takes the inputs of a job with another case, where one model serves every shape."""


Convert = Callable[[Job], None]
Load = Callable[[Job], Served]


def main(load: Load, convert: Convert | None = None) -> None:
    """Does the job on the first line of standard input."""
    answers = _private_stdout()
    try:
        told: dict[str, Any] = json.loads(sys.stdin.readline())
        job = Job(
            Path(told["model"]),
            Path(told["case"]),
            Path(told["converted"]),
            told["threads"],
            told["options"],
        )
        if told["pin"]:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
        if told["do"] == "convert":
            assert convert is not None
            convert(job)
            _answer(answers, {"converted": True})
        else:
            served = load(job)
            served.run()
            _answer(answers, {"versions": _versions(told["packages"])})
            _serve(served, job, answers)
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        said = lines[0] if lines else "no message"
        _answer(answers, {"error": f"{type(error).__name__}: {said}"})
        raise SystemExit(1) from error


def _private_stdout() -> TextIO:
    """A file for answers alone; file number 1 becomes standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _serve(served: Served, job: Job, answers: TextIO) -> None:
    """Answers requests until standard input ends."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if request["do"] == "run":
            _answer(answers, {"seconds": _timed(served.run, request["count"])})
        elif request["do"] == "case":
            if served.take is None:
                raise ValueError("this model serves one shape")
            served.take(replace(job, case=Path(request["case"])))
            served.run()
            _answer(answers, {"taken": True})
        else:
            arrays = served.outputs(served.run())
            for number, array in enumerate(arrays):
                np.save(Path(request["directory"]) / f"{number}.npy", array, allow_pickle=False)
            _answer(answers, {"outputs": len(arrays)})


def _timed(run: Run, count: int) -> list[float]:
    seconds: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds
