"""The state of a device while something is measured: temperatures, clocks and what limits them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from canao.errors import DeviceError

_UNKNOWN = "-"
_SCRIPT = """\
read_one() {{ value={unknown}; {{ read -r value < "$1"; }} 2>/dev/null || value={unknown}; }}
system={root}
for zone in "$system"/class/thermal/thermal_zone*; do
  read_one "$zone/temp"; heat=$value
  read_one "$zone/type"
  echo "zone $heat $value"
done
for core in "$system"/devices/system/cpu/cpu[0-9]*; do
  line="core ${{core##*/cpu}}"
  for name in online cpufreq/cpuinfo_max_freq cpufreq/scaling_max_freq \\
              cpufreq/scaling_cur_freq cpu_capacity cpufreq/scaling_governor; do
    read_one "$core/$name"
    line="$line $value"
  done
  echo "$line"
done
"""


@dataclass(frozen=True)
class Core:
    """A processor core as Linux tells of it; None for what it does not tell."""

    number: int
    most_khz: int | None = None
    """The highest clock of its design."""
    allowed_khz: int | None = None
    """The highest clock that it may have now: less where heat or a setting limits it."""
    khz: int | None = None
    """Its clock now."""
    capacity: int | None = None
    """How much it computes beside the others: 1024 for the largest."""
    governor: str = ""

    @property
    def limited(self) -> bool:
        """Whether it may not reach the clock of its design."""
        return bool(self.most_khz and self.allowed_khz and self.allowed_khz < self.most_khz)


@dataclass(frozen=True)
class State:
    """What a device told of itself at one time."""

    celsius: tuple[tuple[str, float], ...] = ()
    """The thermal zones and their temperatures, where they are told."""
    cores: tuple[Core, ...] = ()
    """The cores that are online."""

    @property
    def hottest(self) -> float | None:
        """The highest temperature; None if none is told."""
        return max((degrees for _, degrees in self.celsius), default=None)

    @property
    def limited(self) -> tuple[int, ...]:
        """The numbers of the cores that may not reach the clock of their design."""
        return tuple(core.number for core in self.cores if core.limited)

    def __str__(self) -> str:
        heat = "temperature not told" if self.hottest is None else f"{self.hottest:.1f} degrees C"
        clocks = [core.khz for core in self.cores if core.khz]
        if not clocks:
            return f"{heat}, clocks not told"
        low, high = min(clocks) // 1000, max(clocks) // 1000
        limits = f", cores {_listed(self.limited)} limited" if self.limited else ""
        return f"{heat}, clocks {low} to {high} MHz{limits}"


def state_script(root: str = "/sys") -> str:
    """A script that prints the state of the device that it runs on."""
    return _SCRIPT.format(root=shlex.quote(root), unknown=_UNKNOWN)


def parse_state(text: str) -> State:
    """What the script printed; lines of another form are left out."""
    zones: list[tuple[str, float]] = []
    cores: list[Core] = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        words = rest.split(" ")
        if kind == "zone" and (degrees := _degrees(words[0])) is not None:
            zones.append((" ".join(words[1:]), degrees))
        if kind == "core" and len(words) >= 7 and words[0].isdecimal() and words[1] != "0":
            numbers = [_number(word) for word in words[2:6]]
            governor = "" if words[6] == _UNKNOWN else words[6]
            cores.append(Core(int(words[0]), *numbers, governor=governor))
    return State(tuple(zones), tuple(sorted(cores, key=lambda core: core.number)))


def _degrees(word: str) -> float | None:
    """Degrees of a zone, which tells thousandths; None where it has no sensor."""
    try:
        degrees = int(word) / 1000
    except ValueError:
        return None
    # Zones that are off tell nonsense such as -274 or 0x7fffffff.
    return degrees if -50 < degrees < 200 else None


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() else None


ALL, BIG, LITTLE = "all", "big", "little"


def choose_cores(cores: Sequence[Core], wanted: str, title: str) -> tuple[int, ...]:
    """The numbers of the cores that are meant: "all" (none are chosen), "big", "little", "0,4-7".

    Big are those with the highest clock or capacity, little those with the lowest.
    """
    if wanted == ALL:
        return ()
    if wanted in (BIG, LITTLE):
        return _of_kind(cores, wanted, title)
    numbers = _parse_list(wanted)
    known = {core.number for core in cores}
    missing = sorted(set(numbers) - known) if known else []
    if missing:
        raise DeviceError(
            f"{title} has no cores {_listed(missing)} online; it has {_listed(sorted(known))}"
        )
    return numbers


def _of_kind(cores: Sequence[Core], wanted: str, title: str) -> tuple[int, ...]:
    sizes = {core.number: core.capacity or core.most_khz for core in cores}
    known = [size for size in sizes.values() if size]
    if not known or len(known) < len(sizes):
        raise DeviceError(
            f"{title} does not tell how fast its cores are (cpu_capacity, cpuinfo_max_freq), so "
            f"none of them is {wanted}; give their numbers, such as 0-3"
        )
    best = max(known) if wanted == BIG else min(known)
    if len(set(known)) == 1:
        raise DeviceError(f"all cores of {title} are alike: none is {wanted}; leave the cores out")
    return tuple(number for number, size in sizes.items() if size == best)


def _parse_list(text: str) -> tuple[int, ...]:
    """The numbers of a list such as 0,4-7."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < 1024):
            raise DeviceError(
                f"'{text}' names no cores; write all, big, little or numbers such as 0,4-7"
            )
        numbers |= set(range(int(first), int(last) + 1))
    return tuple(sorted(numbers))


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
