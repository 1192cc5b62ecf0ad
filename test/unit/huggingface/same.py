"""Whether the answers of two pipelines are the same."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_same(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    """Equal, numbers up to `tolerance`."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            check_same(found[key], wanted[key], tolerance)
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            check_same(one, other, tolerance)
    elif isinstance(wanted, float | np.floating):
        assert abs(float(found) - float(wanted)) <= tolerance
    else:
        assert found == wanted
