"""Whether the answers of two pipelines are the same."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_same(found: Any, wanted: Any) -> None:
    """Equal, numbers within 1e-5."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            check_same(found[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            check_same(one, other)
    elif isinstance(wanted, float | np.floating):
        assert abs(float(found) - float(wanted)) < 1e-5
    else:
        assert found == wanted
