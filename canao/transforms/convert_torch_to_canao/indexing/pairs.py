"""The limit of conversions that compare elements with each other."""

from __future__ import annotations

from canao.extent import most
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

MOST_PAIRS = 1 << 26
"""The largest number of elements times updates, or of elements compared with each other."""


def check_pairs(call: TorchCall, pairs: int) -> None:
    """Refuses what would take longer than anyone waits."""
    if most(pairs) > MOST_PAIRS:
        raise call.unsupported(
            f"it would compare {pairs} pairs of elements, and at most {MOST_PAIRS} are; make the "
            "tensor smaller, or do it outside the compiled model"
        )
