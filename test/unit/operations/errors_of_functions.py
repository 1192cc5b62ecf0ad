"""Functions of a number: what their exact results are, and how far compiled code may be off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 2.0**-126
"""The smallest normal float32: smaller results may be 0."""


@dataclass(frozen=True)
class Bound:
    """How accurate a function of float32 is."""

    function: Callable[[Tensor], Tensor]
    exact: Callable[[Tensor], Tensor]
    """The same of float64, without cancellation."""
    relative: float
    """The largest error relative to a normal result."""
    ulp: float
    """The same in units in the last place of the result."""
    low: float = -inf
    """The least argument that both are true of."""
    tail: float = 0.0
    """Below `low`: the largest error relative to the argument."""

    def check(self, name: str, x: Tensor, found: Tensor) -> None:
        """Compares what compiled code found for float32 arguments; an AssertionError if too far."""
        exact = self.exact(x.double())
        rounded = exact.float()
        special = ~rounded.isfinite()
        torch.testing.assert_close(
            found[special], rounded[special], rtol=0, atol=0, equal_nan=True, msg=name
        )
        x, found, exact = x[~special].double(), found[~special].double(), exact[~special]
        assert found.isfinite().all(), (name, x[~found.isfinite()][:4])
        error, size = (found - exact).abs(), exact.abs()
        normal = rounded[~special].abs() >= SMALLEST
        beyond = ~normal & (error > SMALLEST)
        assert not beyond.any(), (name, x[beyond][:4], found[beyond][:4])
        main, tail = normal & (x >= self.low), x < self.low
        ulps = error / torch.from_numpy(np.spacing(size.float().numpy())).double()
        for scaled, bound, where in (
            (error / size, self.relative, main),
            (ulps, self.ulp, main),
            (error / x.abs(), self.tail, tail),
        ):
            worst = scaled[where].amax() if where.any() else scaled.new_zeros(())
            places = x[where & (scaled == worst)]
            assert worst <= bound * (1 + 1e-6), (name, float(worst), bound, places[:4])


def _plain(function: Callable[[Tensor], Tensor], relative: float, ulp: float) -> Bound:
    return Bound(function, function, relative, ulp)


def _exact_gelu(x: Tensor) -> Tensor:
    return 0.5 * x * torch.erfc(-x * sqrt(0.5))


def _gelu_by_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def _exact_gelu_by_tanh(x: Tensor) -> Tensor:
    return x * torch.sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x**3))


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _exact_quick_gelu(x: Tensor) -> Tensor:
    # PyTorch's factor is a float32 number where the operand is one.
    return x * torch.sigmoid(torch.tensor(1.702, dtype=torch.float32).double() * x)


def _exact_softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _exact_mish(x: Tensor) -> Tensor:
    return x * _exact_softplus(x).tanh()


IMPORTANT: dict[str, Bound] = {
    "exp": _plain(torch.exp, 1.2e-07, 2.0),
    "erf": _plain(torch.erf, 6e-07, 9.2),
    "tanh": _plain(torch.tanh, 3.2e-07, 5.4),
    "log": _plain(torch.log, 8e-08, 0.9),
    "sigmoid": _plain(torch.sigmoid, 1.6e-07, 2.3),
    "gelu": Bound(F.gelu, _exact_gelu, 7e-07, 8.0, -1.0, 1.7e-07),
    "gelu (tanh)": Bound(_gelu_by_tanh, _exact_gelu_by_tanh, 5.5e-07, 6.0, -1.0, 1.5e-07),
    "silu": Bound(F.silu, F.silu, 2e-07, 3.0, -87.0, 1.2e-38),
    "quick gelu": Bound(_quick_gelu, _exact_quick_gelu, 4.1e-06, 67.0, -51.0, 1.2e-38),
    "softplus": Bound(F.softplus, _exact_softplus, 1.4e-07, 2.2),
    "rsqrt": _plain(torch.rsqrt, 9e-08, 1.5),
}
"""What encoders are made of."""

OTHERS: dict[str, Bound] = {
    "sqrt": _plain(torch.sqrt, 6e-08, 0.5),
    "reciprocal": _plain(torch.reciprocal, 6e-08, 0.5),
    "log1p": _plain(torch.log1p, 8.5e-08, 1.0),
    "expm1": _plain(torch.expm1, 8.5e-08, 1.0),
    "exp2": _plain(torch.exp2, 6.5e-08, 0.7),
    "log2": _plain(torch.log2, 7.5e-08, 0.9),
    "log10": _plain(torch.log10, 1.5e-07, 2.0),
    "sin": _plain(torch.sin, 6.5e-08, 0.6),
    "cos": _plain(torch.cos, 6.5e-08, 0.6),
    "tan": _plain(torch.tan, 9e-08, 1.2),
    "asin": _plain(torch.asin, 1e-07, 1.0),
    "acos": _plain(torch.acos, 1.1e-07, 1.0),
    "atan": _plain(torch.atan, 8.5e-08, 1.0),
    "sinh": _plain(torch.sinh, 1.7e-07, 2.0),
    "cosh": _plain(torch.cosh, 1.7e-07, 2.0),
    "asinh": _plain(torch.asinh, 1.4e-07, 1.8),
    "acosh": _plain(torch.acosh, 1.3e-07, 2.0),
    "atanh": _plain(torch.atanh, 1.3e-07, 2.0),
    "elu": _plain(F.elu, 8.5e-08, 1.0),
    "selu": _plain(F.selu, 1.4e-07, 1.8),
    "mish": Bound(F.mish, _exact_mish, 4e-07, 5.6, -87.0, 1.3e-38),
    "log sigmoid": Bound(F.logsigmoid, lambda x: -_exact_softplus(-x), 1.6e-07, 2.2),
}
