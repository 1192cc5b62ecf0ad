"""What to do instead of operators that compiled code cannot have."""

from __future__ import annotations

from collections.abc import Iterable

from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from canao.errors import UnsupportedOpError
from canao.frontend.tracing.source_location import source_location

_RANDOM = "random numbers are not drawn in compiled code: pass it as an input"
_COMPLEX = "complex numbers are not compiled: write it with real ones, or do it outside"
_SOLVER = "decompositions of matrices are not compiled: do it outside the model"

_HINTS = {
    **dict.fromkeys(
        ("rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm"),
        _RANDOM,
    ),
    **dict.fromkeys(
        ("bernoulli", "multinomial", "normal", "normal_functional", "rrelu_with_noise_functional"),
        _RANDOM,
    ),
    **dict.fromkeys(("_fft_r2c", "_fft_c2c", "_fft_c2r", "polar", "complex"), _COMPLEX),
    **dict.fromkeys(
        ("linalg_inv_ex", "_linalg_det", "_linalg_svd", "_linalg_eigh", "linalg_qr"), _SOLVER
    ),
}
"""By the name of an operator without its overload."""


def hint_for(name: str) -> str:
    """What to do instead of `aten.name.overload`; "" where nothing is known."""
    return _HINTS.get(name.split(".")[1] if "." in name else name, "")


def check_shapes_are_known(named: Iterable[tuple[Node, str]]) -> None:
    """Refuses operators, given with their names, whose shapes depend on values."""
    for node, name in named:
        value = node.meta.get("val")
        if value is not None and free_unbacked_symbols(value):
            raise UnsupportedOpError(
                name,
                source_location(node),
                "its shape depends on values: keep the full shape and a mask, as by torch.where",
            )
