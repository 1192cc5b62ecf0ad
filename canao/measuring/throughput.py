"""What a model of a processor's pipelines says of an inner loop, by LLVM's `llvm-mca`.

It is no measurement: caches always hit, and branches are always foretold.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from canao.errors import ToolchainError

_TOOL = "llvm-mca"
_ITERATIONS = 200
_CYCLES = re.compile(r"^Total Cycles:\s+(\d+)$", re.MULTILINE)
_SUMS = 24
"""Independent multiply-adds: more than any processor has under way."""
PEAK_LOOP = "\n".join(f"\tfmla\tv{n}.4s, v30.4s, v31.s[0]" for n in range(_SUMS))
"""Multiply-adds of AArch64 that wait for nothing."""


def cycles_a_trip(text: str, processor: str, architecture: str = "aarch64") -> float:
    """Cycles of one trip through a loop, given as lines of assembly, when it runs on and on.

    `processor` is a name that LLVM knows. `ToolchainError` where the tool is missing or does not
    read the loop.
    """
    path = shutil.which(_TOOL)
    if path is None:
        raise ToolchainError(f"{_TOOL} was not found; install it (apt install llvm)")
    words = [path, f"-mtriple={architecture}", f"-mcpu={processor}", f"-iterations={_ITERATIONS}"]
    done = subprocess.run(words, input=f"{text}\n", capture_output=True, text=True, check=False)
    found = _CYCLES.search(done.stdout)
    if done.returncode or found is None:
        raise ToolchainError(f"{_TOOL} does not read the loop for {processor}: {done.stderr[:500]}")
    return int(found[1]) / _ITERATIONS


def share_of_peak(text: str, multiply_adds: int, processor: str) -> float:
    """Multiply-adds of a loop a cycle, as a part of those that wait for nothing."""
    peak = _SUMS / cycles_a_trip(PEAK_LOOP, processor)
    return multiply_adds / cycles_a_trip(text, processor) / peak
