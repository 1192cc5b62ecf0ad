"""A directory on a device behind a shell: files, programs with limits, the state around them."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

from canao.devices.device import Limits, Ran, Sample
from canao.devices.processes import last_words
from canao.devices.shell import Shell
from canao.devices.state import State, parse_state, state_script
from canao.errors import DeviceError, ExecutionError, HungError, ToolchainError

_PLAIN = re.compile(r"(?!.*\.\.)/[A-Za-z0-9._/-]+")
"""Paths that need no quoting anywhere: those of the directories made here."""
_NAME = re.compile(r"(?![.-])[A-Za-z0-9._-]+(?:/(?![.-])[A-Za-z0-9._-]+)?")
_PROGRAM = "model"
_COMPILERS = ("cc", "clang", "gcc")
_LATENCY = re.compile(r"^latency: (\S+) ms median, (\S+) ms min, (\S+) ms max;", re.MULTILINE)
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_LATE = 999
"""Told as status of a program whose time was over: no program can end so."""

# The program is a child, so that another child can end it on the device itself: what happens to
# the connection does not matter then. That one looks each second, to be gone soon after.
_GUARDED = """\
cd {folder} || exit 125
{command} </dev/null &
program=$!
echo $program > {pid}
(
  passed=0
  while [ $passed -lt {seconds} ]; do
    sleep 1
    kill -0 $program 2>/dev/null || exit 0
    passed=$((passed + 1))
  done
  : > {late}
  kill -9 $program
) </dev/null >/dev/null 2>&1 &
guard=$!
wait $program
ended=$?
kill $guard 2>/dev/null
rm -f {pid}
[ -e {late} ] && rm -f {late} && exit_as {too_late}
exit_as $ended
"""


@dataclass(frozen=True)
class ShellWorkspace:
    """See `canao.devices.device.Workspace`."""

    shell: Shell
    path: str
    """The directory on the device."""
    limits: Limits
    wrap: Callable[[Sequence[str]], Sequence[str]] = list
    """What has to stand before the words of a program, such as an emulator."""
    sysfs: str = "/sys"

    def _at(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise DeviceError(f"'{name}' is no name for a file on a device; use letters and digits")
        return f"{self.path}/{name}"

    def push(self, files: Mapping[str, Path]) -> None:
        """See `Workspace`."""
        targets = {self._at(name): file for name, file in files.items()}
        folders = sorted({str(PurePosixPath(target).parent) for target in targets})
        made = ask(self.shell, f"mkdir -p {shlex.join(folders)}", self.limits)
        if made.status:
            raise DeviceError(
                f"{self.shell.title} cannot take files in {self.path} ({_said(made)}); name "
                "another directory"
            )
        try:
            self.shell.push(targets, seconds=self.limits.transfer_seconds)
        except DeviceError as error:
            raise DeviceError(f"{error}{self._room_left(files)}") from error

    def _room_left(self, files: Mapping[str, Path]) -> str:
        """What is free there, if it is less than what was to be copied."""
        needed = sum(file.stat().st_size for file in files.values() if file.is_file())
        found = ask(self.shell, f"df -Pk {shlex.quote(self.path)}", self.limits, lost="")
        words = found.stdout.splitlines()[-1].split() if found.stdout.strip() else []
        if len(words) < 4 or not words[3].isdecimal() or int(words[3]) << 10 >= needed:
            return ""
        return f"; {needed >> 20} MiB are needed there and {int(words[3]) >> 10} MiB are free"

    def pull(self, name: str, file: Path) -> None:
        """See `Workspace`."""
        self.shell.pull(self._at(name), file, seconds=self.limits.transfer_seconds)

    def build(self, folder: str) -> str:
        """See `Workspace`: the compilers of the list are tried until there is one."""
        script = (
            f"cd {shlex.quote(self._at(folder))} || exit 125\n"
            "command -v make >/dev/null 2>&1 || exit_as 127\n"
            f"for name in {shlex.join(_COMPILERS)}; do\n"
            '  command -v "$name" >/dev/null 2>&1 || continue\n'
            f'  make CC="$name" {_PROGRAM} >&2; exit_as $?\n'
            "done\n"
            "exit_as 127\n"
        )
        ran = ask(self.shell, script, self.limits, seconds=self.limits.transfer_seconds)
        if ran.status == _NOT_FOUND:
            raise ToolchainError(
                f"{self.shell.title} lacks make or a C compiler ({', '.join(_COMPILERS)}); "
                "install them there, or compile for its canao.Target to build here"
            )
        if ran.status:
            raise ToolchainError(
                f"the compiler of {self.shell.title} refused the emitted code: "
                f"{last_words(ran.stderr, lines=8)}; build here instead, or report the source"
            )
        return _PROGRAM

    def run(
        self, folder: str, words: Sequence[str], *, cores: Sequence[int] = (), check: bool = True
    ) -> Ran:
        """See `Workspace`."""
        pinned = ["taskset", f"{sum(1 << n for n in cores):x}"] if cores else []
        place = shlex.quote(self._at(folder))
        script = _GUARDED.format(
            folder=place,
            command=shlex.join([*pinned, *self.wrap(words)]),
            seconds=max(1, ceil(self.limits.seconds)),
            pid=f"{self.path}/pid",
            late=f"{self.path}/late",
            too_late=_LATE,
        )
        ran = ask(self.shell, script, self.limits, seconds=self.limits.seconds, end=self._end)
        if check:
            self._check(words[0], ran)
        return ran

    def _check(self, program: str, ran: Ran) -> None:
        name, where = program.rpartition("/")[2], self.shell.title
        if ran.late:
            raise HungError(
                f"{name} on {where} did not end within {self.limits.seconds:g} s and was stopped; "
                "allow more time, or ask for fewer runs"
            )
        if ran.signal == "SIGILL":
            raise ExecutionError(
                f"{name} on {where} used an instruction that its processor lacks (SIGILL); compile "
                "for its canao.Target"
            )
        if ran.signal:
            raise ExecutionError(
                f"{name} on {where} crashed ({ran.signal}){_tail(ran)}; report the model, or "
                "compile with fusion=False"
            )
        if ran.status == _NOT_EXECUTABLE:
            raise ExecutionError(
                f"{name} cannot be executed on {where}{_tail(ran)}; name a directory from which "
                "programs may run, and see that it is made for this processor"
            )
        if ran.status:
            raise ExecutionError(f"{name} on {where} ended with status {ran.status}{_tail(ran)}")

    def _end(self) -> None:
        """End a program that still runs there, once nobody hears it any more."""
        pid = f"{self.path}/pid"
        ask(self.shell, f'[ -e {pid} ] && kill -9 "$(cat {pid})"', self.limits, lost="")

    def state(self) -> State:
        """See `Workspace`."""
        return parse_state(ask(self.shell, state_script(self.sysfs), self.limits).stdout)

    def sample(
        self, folder: str, words: Sequence[str], *, runs: int, cores: Sequence[int] = ()
    ) -> Sample:
        """See `Workspace`: the times that the program prints."""
        ran = self.run(folder, [words[0], "--time", str(runs), *words[1:]], cores=cores)
        found = _LATENCY.search(ran.stdout)
        try:
            times = [float(word) for word in found.groups()] if found else []
        except ValueError:
            times = []
        if len(times) < 3 or not 0 < times[1] <= times[0] <= times[2] < float("inf"):
            raise ExecutionError(
                f"{words[0]} on {self.shell.title} printed no latency but "
                f"'{last_words(ran.stdout) or 'nothing'}'; give a program that canao exported"
            )
        return Sample(*times)


def ask(
    shell: Shell,
    script: str,
    limits: Limits,
    *,
    seconds: float = 0.0,
    end: Callable[[], None] | None = None,
    lost: str | None = None,
) -> Ran:
    """How a script ended that runs on a device.

    In it `exit_as N` ends with a status. The status is told in a line of its own, of which no
    program can know: that of the connection says little. `end` is called where a program may be
    left behind. Where the connection is lost the answer is empty if `lost` is given, and a
    `DeviceError` else.
    """
    token = secrets.token_hex(16)
    framed = f"exit_as() {{ printf '\\n%s %s\\n' {token} \"$1\"; exit 0; }}\n{script}\nexit_as $?\n"
    finished = shell.say(
        framed, seconds=seconds + limits.answer_seconds, output_bytes=limits.output_bytes
    )
    output, mark, status = finished.stdout.rpartition(f"\n{token} ")
    if mark and status.strip().isdecimal():
        number = int(status)
        return Ran(number, output, finished.stderr, late=number == _LATE)
    if end is not None:
        end()
    if lost is not None:
        return Ran(255, lost, finished.stderr)
    if finished.overflowed:
        raise ExecutionError(
            f"a program on {shell.title} wrote more than {limits.output_bytes} bytes and was "
            "stopped; give a program that canao exported"
        )
    if finished.late:
        raise DeviceError(
            f"{shell.title} gave no answer within {seconds + limits.answer_seconds:g} s; see that "
            "it is awake and reachable"
        )
    raise DeviceError(shell.explain(finished))


def _said(ran: Ran) -> str:
    return last_words(ran.stderr) or f"status {ran.status}"


def _tail(ran: Ran) -> str:
    # Before Android 7 both streams come as one.
    said = last_words(ran.stderr) or last_words(ran.stdout)
    return f": {said}" if said else ""


def is_plain(path: str) -> bool:
    """Whether a path means the same however it is quoted."""
    return _PLAIN.fullmatch(path) is not None
