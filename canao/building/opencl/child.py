"""The first build and run of new kernels, in a child process.

    python -m canao.building.opencl.child JOB SOURCE BINARY EXAMPLES

builds the text, runs it on the example inputs and zeros for weights, and leaves
the binary: by then drivers that compile at the first launch have done so, and
the binary has what they made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from canao.building.trial_inputs import fill_with_examples
from canao.errors import CanaoError, FailedCheckError, ToolchainError
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array, pointers
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule

REFUSED, UNBUILT = 3, 4
"""Exit status of a child that reports an error, or that the compiler refused the text."""


def _zeros(sizes: Sequence[int]) -> list[Array]:
    arrays = [lasting_empty((size,), np.uint8) for size in sizes]
    for array in arrays:
        array.fill(0)
    return arrays


def build_and_run(job: Job, source: str, examples: Path) -> bytes:
    """Builds and runs a program once, on the inputs in a file or else on zeros; its binary."""
    module = OpenCLModule(job, _zeros(job.weights), source=source)
    inputs, outputs = _zeros(job.inputs), _zeros(job.outputs)
    fill_with_examples(inputs, examples)
    places = [pointers([array.ctypes.data for array in arrays]) for arrays in (inputs, outputs)]
    with suppress(FailedCheckError):  # kernels run to their end where a check fails
        module.run(*places)
    binary = module.session.binary_of(module.program)
    module.close()
    return binary


def main(arguments: Sequence[str]) -> int:
    """Entry point of the child; errors of canao go to the parent on standard error."""
    job, source, binary, examples = map(Path, arguments)
    try:
        made = build_and_run(
            Job.from_json(job.read_text(encoding="utf-8")),
            source.read_text(encoding="utf-8"),
            examples,
        )
        binary.write_bytes(made)
    except CanaoError as error:
        print(error, file=sys.stderr)
        return UNBUILT if isinstance(error, ToolchainError) else REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
