"""`convert-torch-to-canao`: the torch dialect as torch-mlir writes it, in canao operations.

The conversions are tables from the name of a torch operation to a function,
one file a kind: it is the one place in the compiler that knows torch names.
"""

from __future__ import annotations

from canao.transforms.convert_torch_to_canao.convert_torch_to_canao import (
    ConvertTorchToCanaoPass,
)

__all__ = ["ConvertTorchToCanaoPass"]
