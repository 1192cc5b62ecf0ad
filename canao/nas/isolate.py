"""Work on a candidate in a child process with a time limit.

A candidate that crashes, hangs or takes all memory takes a child with it, and
the search gets a `CandidateError` that says what happened. A job, its result
and how far it is are JSON.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from canao.building.first_run import child_environment
from canao.errors import CanaoError, CandidateError

_REFUSED, _NO_MEMORY = 3, 4
_LONGEST_REASON = 500
_LOOK_SECONDS = 0.25
_TOLD = "told"
"""The part of a job that names the file for how far it is."""

Job = Mapping[str, Any]
Told = Callable[[str, int, int], None]
"""Called with what is under way, the steps done and the steps in all."""


def run_in_child(
    module: str,
    job: Job,
    *,
    what: str,
    time_limit: float | None,
    memory_bytes: int | None = None,
    inherit: Sequence[int] = (),
    progress: Told | None = None,
) -> dict[str, Any]:
    """The result of `module`'s `main` for a job, run as a program of its own.

    `what` names the work in errors. `inherit` has descriptors (of locks) that
    the child keeps open. `progress` is told what the child tells by
    `progress_of`. There is no limit of time or memory where it is None.
    """
    with tempfile.TemporaryDirectory(prefix="canao-candidate-") as room:
        path, result = Path(room) / "job.json", Path(room) / "result.json"
        said, told = Path(room) / "said", Path(room) / _TOLD
        asked = {_TOLD: str(told)} if progress else {}
        path.write_text(json.dumps({**job, **asked}), encoding="utf-8")
        with said.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(path), str(memory_bytes or 0)],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=tuple(inherit),
                start_new_session=True,
            )
            _wait(child, what, time_limit, told, progress)
        if child.returncode:
            raise CandidateError(f"{what} {_explain(child.returncode, _last_line(said))}")
        try:
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CandidateError(f"{what} ended without a result ({error})") from error
        return found


def _wait(
    child: subprocess.Popen[bytes],
    what: str,
    time_limit: float | None,
    told: Path,
    progress: Told | None,
) -> None:
    """Wait for a child to end; none of its group is left, whatever ends the wait."""
    deadline = time.monotonic() + (math.inf if time_limit is None else time_limit)
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise CandidateError(f"{what} hung: it did not end within {time_limit:g} s")
            with suppress(subprocess.TimeoutExpired):
                child.wait(min(_LOOK_SECONDS, left))
            if progress:
                _pass_on(told, progress)
            if child.returncode is not None:
                return
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _pass_on(told: Path, progress: Told) -> None:
    """Tell what a child told last, if it has told anything yet."""
    with suppress(FileNotFoundError):
        title, done, total = json.loads(told.read_text(encoding="utf-8"))
        progress(title, done, total)


def progress_of(job: Job) -> Told | None:
    """In a child: a function that tells the parent how far a job is; None if it does not ask."""
    if _TOLD not in job:
        return None
    place = Path(job[_TOLD])
    partial = place.with_name("told.part")

    def tell(title: str, done: int, total: int) -> None:
        partial.write_text(json.dumps([title, done, total]), encoding="utf-8")
        partial.replace(place)

    return tell


def _explain(status: int, said: str) -> str:
    if status == _REFUSED:
        return f"failed: {said}"
    if status == _NO_MEMORY:
        return "ran out of memory"
    if status == -signal.SIGKILL:
        return "was killed, most likely because memory ran out"
    if status < 0:
        named = {known.value: known.name for known in signal.Signals}
        return f"crashed ({named.get(-status, f'signal {-status}')})"
    return f"ended with status {status}" + (f": {said}" if said else "")


def _last_line(path: Path) -> str:
    lines = path.read_bytes().decode(errors="replace").strip().splitlines()
    return lines[-1][:_LONGEST_REASON] if lines else ""


def child_main(work: Callable[[Job], Job], arguments: Sequence[str]) -> int:
    """What the child's module does: read the job, do the work, write the result in one step."""
    _end_with_parent()
    path, memory = Path(arguments[0]), int(arguments[1])
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        found = work(json.loads(path.read_text(encoding="utf-8")))
    except MemoryError:
        return _NO_MEMORY
    except (RuntimeError, OSError, ImportError) as error:
        if not _is_lack_of_memory(error):
            raise
        return _NO_MEMORY
    except CanaoError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return _REFUSED
    partial = path.with_name("result.part")
    partial.write_text(json.dumps(dict(found)), encoding="utf-8")
    partial.replace(path.with_name("result.json"))
    return 0


_LACKS = ("not enough memory", "out of memory", "cannot allocate memory")


def _is_lack_of_memory(error: Exception) -> bool:
    """PyTorch's allocator raises a plain `RuntimeError`, a library that finds no room another."""
    return any(lack in str(error).lower() for lack in _LACKS)


def _end_with_parent() -> None:
    """Where the system can, have this process killed when its parent ends, however it ends."""
    if sys.platform != "linux":
        return
    set_death_signal = 1
    ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL)
