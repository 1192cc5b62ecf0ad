"""Types in which float32 numbers may lie in memory: in fewer bits than they are computed with.

Nothing computes with them. A number becomes one when it is stored, and a float32 when it is
loaded. `canao/lowering/opencl/storage.py` has the text of both for devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class StorageType:
    """A floating-point type of memory alone."""

    name: str
    """What `dtype=` takes, and numpy or ml_dtypes calls it."""
    element: str
    """MLIR's name for it."""
    memory: str
    """The type of an element of a buffer, in OpenCL C."""

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """Its dtype in numpy."""
        return np.dtype(getattr(ml_dtypes, self.name, self.name))

    @property
    def largest(self) -> float:
        """The largest finite number: numbers beyond it, infinities too, are stored as it."""
        return float(ml_dtypes.finfo(self.dtype).max)

    @property
    def spacing(self) -> float:
        """The distance from 1 to the next number: rounding changes a number by half of it."""
        return float(ml_dtypes.finfo(self.dtype).eps)


STORAGE_TYPES = {
    stored.name: stored
    for stored in (
        StorageType("float16", "f16", "half"),
        StorageType("bfloat16", "bf16", "ushort"),
    )
}
"""By name; beside float32 itself, what a model's `dtype` may be."""

BY_ELEMENT = {stored.element: stored for stored in STORAGE_TYPES.values()}
"""By MLIR's name."""
