"""A peer's process and the requests it answers: the parent's side of the protocol."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from canao.building.first_run import child_environment
from canao.errors import PeerError
from canao.peers.catalogue import Peer
from canao.peers.environment import Environment, plain_variables
from canao.peers.models import Case

Array = np.ndarray[Any, np.dtype[Any]]
_CHUNK = 1 << 16
_LAST_LINES = 400


class Session:
    """A process that runs one model for one peer.

    Every answer has a time limit; a process that exceeds it, ends, or says that
    it failed raises `PeerError` and is gone afterwards.
    """

    def __init__(
        self,
        peer: Peer,
        home: Path,
        case: Case,
        converted: Path,
        *,
        threads: int,
        pin: bool = False,
    ) -> None:
        self.peer = peer
        self._case = case
        self._converted = converted
        self._threads = threads
        self._pin = pin
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._files = ExitStack()
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def convert(self, limit: float) -> None:
        """Let a process convert the model into the directory for it; it ends then."""
        self._start("convert")
        self._answer(limit)
        self.close()

    def load(self, limit: float) -> Mapping[str, str]:
        """Start to serve; returns the versions of the peer's packages."""
        self._start("serve")
        return self._answer(limit)["versions"]

    def take(self, case: Case, limit: float) -> None:
        """Go on with the inputs of another case: for models that serve every shape."""
        self._ask({"do": "case", "case": str(case.directory)})
        self._answer(limit)
        self._case = case

    def run(self, count: int, limit: float) -> list[float]:
        """Seconds of each of `count` inferences, one after another."""
        self._ask({"do": "run", "count": count})
        return self._answer(limit)["seconds"]

    def outputs(self, limit: float) -> list[Array]:
        """The outputs of one more inference."""
        with tempfile.TemporaryDirectory() as directory:
            self._ask({"do": "output", "directory": directory})
            count: int = self._answer(limit)["outputs"]
            return [
                np.load(Path(directory) / f"{number}.npy", allow_pickle=False)
                for number in range(count)
            ]

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        with contextlib.suppress(OSError):
            self._files.close()

    def _start(self, what: str) -> None:
        python, variables = self._interpreter()
        self._pending = b""
        # Closed with the session.
        self._log = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), str(self.peer.script)],
            env=variables | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            self._files.enter_context(pipe)
        self._ask(
            {
                "do": what,
                "model": str(self._case.model_directory),
                "case": str(self._case.directory),
                "converted": str(self._converted),
                "threads": self._threads,
                "pin": self._pin,
                "options": dict(self.peer.options),
                "packages": list(self.peer.packages),
            }
        )

    def _interpreter(self) -> tuple[Path | str, dict[str, str]]:
        if self.peer.environment is None:
            return sys.executable, child_environment()
        environment = Environment(self.peer.environment, self._home)
        environment.check()
        return environment.python, plain_variables()

    def _ask(self, request: Mapping[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failure("it ended") from None

    def _answer(self, limit: float) -> dict[str, Any]:
        line = self._line(time.monotonic() + limit)
        if line is None:
            raise self._failure(f"no answer within {limit:g} s")
        if not line:
            raise self._failure("it ended")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise self._failure("its answer is not JSON") from None
        if "error" in answer:
            self.close()
            raise PeerError(f"{self.peer.title}: {answer['error']}")
        return answer

    def _line(self, deadline: float) -> bytes | None:
        """The next line; empty if the process ended, None if time ran out."""
        assert self._process is not None
        assert self._process.stdout is not None
        number = self._process.stdout.fileno()
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([number], [], [], left)[0]:
                return None
            chunk = os.read(number, _CHUNK)
            if not chunk:
                return b""
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _failure(self, what: str) -> PeerError:
        """The error for a process that is of no use any more, with its last words."""
        assert self._process is not None
        if what == "it ended":
            what = _ended(self._process.wait())
        words = self._last_words()
        self.close()
        return PeerError(f"{self.peer.title}: {what}{f' ({words})' if words else ''}")

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - _LAST_LINES))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with status {code}"
    names = {known.value: known.name for known in signal.Signals}
    return f"its process crashed ({names.get(-code, f'signal {-code}')})"
