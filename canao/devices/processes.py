"""Local programs run with limits on time and output; what they leave behind is ended too."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from canao.errors import DeviceError

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Finished:
    """How a program ended that ran here."""

    status: int
    """Its exit status; negative the number of the signal that ended it."""
    stdout: str
    stderr: str
    late: bool = False
    """Whether it was ended because its time was over."""
    overflowed: bool = False
    """Whether it was ended because it wrote too much."""

    @property
    def last_words(self) -> str:
        """The end of what it wrote to its standard error, in one line."""
        return last_words(self.stderr)


def last_words(text: str, lines: int = 3, most: int = 400) -> str:
    """The last lines of a text joined, without what a terminal would act on."""
    kept = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    joined = "; ".join(kept)
    return "".join(c if c.isprintable() else "?" for c in joined)[-most:]


def run_limited(
    command: Sequence[str], *, seconds: float, output_bytes: int, stdin: str = ""
) -> Finished:
    """Run a program with its group of processes, which all end when it does.

    `output_bytes` limits standard output and standard error, each. `DeviceError` if it
    cannot be started.
    """
    try:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise DeviceError(
            f"{command[0]} could not be started ({error.strerror}); install it (docs/devices.md "
            "says what each kind of device needs)"
        ) from error
    try:
        return _Conversation(child, time.monotonic() + seconds, output_bytes).hold(stdin)
    finally:
        _end_group(child)


class _Conversation:
    """Writes what a child reads and keeps what it writes, until it ends or a limit is reached."""

    def __init__(self, child: subprocess.Popen[bytes], deadline: float, most: int) -> None:
        self.child = child
        self.deadline = deadline
        self.most = most
        self.written: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.late = self.overflowed = False

    def hold(self, stdin: str) -> Finished:
        child, rest = self.child, memoryview(stdin.encode())
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        with selectors.DefaultSelector() as selector, child.stdin, child.stdout, child.stderr:
            selector.register(child.stdout, selectors.EVENT_READ, "stdout")
            selector.register(child.stderr, selectors.EVENT_READ, "stderr")
            if rest:
                os.set_blocking(child.stdin.fileno(), False)
                selector.register(child.stdin, selectors.EVENT_WRITE, "stdin")
            else:
                child.stdin.close()
            while selector.get_map() and not (self.late or self.overflowed):
                left = self.deadline - time.monotonic()
                self.late = left <= 0
                for key, _ in selector.select(max(left, 0.0)):
                    if key.data != "stdin":
                        self._read(selector, key)
                        continue
                    rest = self._write(rest)
                    if not rest:
                        selector.unregister(key.fileobj)
                        child.stdin.close()
            self._wait()
        return Finished(
            child.returncode,
            self._text("stdout"),
            self._text("stderr"),
            late=self.late,
            overflowed=self.overflowed,
        )

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, _CHUNK)
        if not data:
            selector.unregister(key.fileobj)
            return
        kept = self.written[key.data]
        kept += data[: self.most - len(kept)]
        self.overflowed |= len(kept) >= self.most

    def _write(self, rest: memoryview) -> memoryview:
        """What is left to be written; nothing if the child reads no more."""
        assert self.child.stdin is not None
        try:
            return rest[os.write(self.child.stdin.fileno(), rest[:_CHUNK]) :]
        except BlockingIOError:
            return rest
        except BrokenPipeError:
            return rest[:0]

    def _wait(self) -> None:
        if not (self.late or self.overflowed):
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(max(self.deadline - time.monotonic(), 0.1))
                return
            self.late = True
        _end_group(self.child)

    def _text(self, name: str) -> str:
        return bytes(self.written[name]).decode(errors="replace")


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and all that it started, whatever state they are in."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
