"""The pass `approximate-math`: short float32 forms in place of calls of libm.

`functions` has the form of each function, `coefficients` its numbers (made by
`tools/fit_math.py`), `arithmetic` the steps they are built from. The errors are
in `docs/math.md` and are checked by `test/unit/lowering/test_approximate_math.py`.
"""

from __future__ import annotations

from canao.lowering.approximate_math.approximate_math import ApproximateMathPass

__all__ = ["ApproximateMathPass"]
