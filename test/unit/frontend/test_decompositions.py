"""Operators that are written with others, masks with many values, volumes, transposed kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from unit.frontend.operators.operator_support import Case, check_group, normal, positive, truths
from unit.frontend.operators.oracle import check_equal, run

import canao
from canao.errors import UnsupportedModelError, UnsupportedOpError
from canao.frontend.torch_import import import_model

A, B, T = normal(3, 5), positive(3, 5), normal(2, 3, 4)
IMAGE, VOLUME = normal(1, 4, 5, 6), normal(1, 2, 4, 5, 6)
MASK, ROWS = truths(3, 5), torch.tensor([True, False, True])
HOLDING = int(MASK.sum())
SPECIAL = torch.tensor([0.0, -0.0, 0.5, 1, 2, 3.7, -0.5, -1, -2.3, 1e-3, 40, torch.inf, torch.nan])
aten: Any = torch.ops.aten
prims: Any = torch.ops.prims

Table = dict[str, Callable[..., Any]]


def _cases(table: Table, *arguments: Tensor) -> list[Case]:
    return [Case(name, function, arguments) for name, function in table.items()]


def _masks() -> list[Case]:
    counted = torch.arange(1.0, HOLDING + 1)
    columns = torch.tensor([True, False, True, True, False])
    table: Table = {
        "places": lambda a, m: [a.index_put((m,), counted, more) for more in (False, True)],
        "rows": lambda a, m: (a.index_put((ROWS,), B[:2]), a.index_put((ROWS,), B[:2, :1])),
        "columns": lambda a, m: aten.index_put(a, [None, columns], B[:, :3]),
        "one_for_all": lambda a, m: (a.index_put((ROWS,), B[0]), a.index_put((m,), B[0, 0], True)),
        "one_a_row": lambda a, m: aten.index_put(a, [None, columns], B[:, :1]),
        "middle": lambda a, m: aten.index_put(T, [None, ROWS], T[:, :2] + 1) + a[0, 0],
        "scatter": lambda a, m: (
            a.masked_scatter(m, B),
            a.masked_scatter(ROWS[:, None], B),
            a[0].masked_scatter(m, B),
            a[0].masked_scatter(m[0] & False, B[:0]),
        ),
    }
    return _cases(table, A, MASK)


def _primitives() -> list[Case]:
    table: Table = {
        "shapes": lambda a: (
            prims.collapse(a, 0, 1),
            prims.collapse(a, 1, 2),
        ),
        "sums": lambda a: (prims.sum(a, [0, 2]), prims.prod(a, [2])),
        "types": lambda a: prims.convert_element_type(a * 3, torch.int64),
        "iota": lambda a: prims.iota(
            4, start=2, step=3, dtype=torch.int64, device="cpu", requires_grad=False
        ),
        "puts": lambda a: (
            aten._index_put_impl(a, [None, torch.tensor([2, 0])], a[:, :2] + 1, True),
            aten._unsafe_index_put(a, [torch.tensor([1])], a[:1] + 1),
        ),
        "nearest": lambda a: (
            aten.upsample_nearest2d(a[None], [7, 3], None, None),
            aten.upsample_nearest2d(a[None], [6, 10], 2.0, 2.5),
        ),
        "fold": lambda a: F.fold(F.unfold(a[None], 2), (3, 4), 2),
    }
    return _cases(table, T)


def _numbers() -> list[Case]:
    table: Table = {
        "hypot": lambda a: (
            torch.hypot(a, a.flip(0)),
            torch.hypot(a * 1e30, a * 1e30) * 1e-30,
            torch.hypot(a * 1e-30, a * 1e-30) * 1e30,
        ),
        "lgamma": lambda a: (a.lgamma(), a.double().lgamma(), (a[:5] * 9).long().lgamma()),
        "rrelu": lambda a: F.rrelu(a),
        "fake": lambda a: torch.fake_quantize_per_tensor_affine(a, 0.3, 2, -5, 7),
        "int_mm": lambda a: aten._int_mm(
            torch.full((17, 8), 100, dtype=torch.int8), torch.full((8, 8), -99, dtype=torch.int8)
        ),
    }
    return _cases(table, SPECIAL)


def _volumes() -> list[Case]:
    table: Table = {
        "average": lambda a: (
            F.avg_pool3d(a, 2),
            F.avg_pool3d(a, (2, 3, 1), 2, (1, 1, 0), True, False),
        ),
        "largest": lambda a: (
            *F.max_pool3d(a, 2, 1, 1, return_indices=True),
            F.max_pool3d(a, 3, 2, 1, 1, True),
        ),
        "adaptive": lambda a: (
            F.adaptive_avg_pool3d(a, (3, 2, 4)),
            *F.adaptive_max_pool3d(a, (3, 2, 4), return_indices=True),
        ),
    }
    return _cases(table, VOLUME)


def _transposed() -> list[Case]:
    grouped, volume = normal(4, 3, 2, 3), normal(2, 2, 2, 2, 1)
    row, tbc, own, bias = normal(4, 2, 3), normal(3, 6, 2), normal(2, 4, 2, 2), normal(2)
    table: Table = {
        "row": lambda a, v: F.conv_transpose1d(a[0, :, 0], row, bias, 2, 1, 1),
        "image": lambda a, v: F.conv_transpose2d(
            a, grouped, None, (2, 1), (1, 0), (1, 0), groups=2, dilation=(1, 2)
        ),
        "cut": lambda a, v: F.conv_transpose2d(a, grouped, None, 1, 2),
        "volume": lambda a, v: F.conv_transpose3d(v, volume, None, 2),
        "tbc": lambda a, v: torch.conv_tbc(a[0], tbc, bias, 1),
        "own": lambda a, v: aten._convolution(
            a, own, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, *[False] * 4
        ),
    }
    return _cases(table, IMAGE, VOLUME)


GROUPS = {
    "masks": _masks(),
    "primitives": _primitives(),
    "numbers": _numbers(),
    "volumes": _volumes(),
    "transposed": _transposed(),
}


@pytest.mark.parametrize("group", GROUPS)
def test_what_pytorch_computes(group: str) -> None:
    check_group(GROUPS[group], decomposed=False)


class _Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


@pytest.mark.parametrize("axes", [[[0], [1], [2], [0, 2]], [[], [], [], []], [[2], [-2], [0], [1]]])
def test_trilinear_counts_axes_in_its_result(axes: list[list[int]]) -> None:
    model, value = _Function(lambda a: aten._trilinear(a, a, a, *axes)), normal(3, 3)
    check_equal(run(import_model(model, (value,)), value), model(value))


def test_compiled_code_puts_values_in_order() -> None:
    values = torch.arange(1.0, HOLDING + 1)
    model = _Function(
        lambda a, m, b: (
            a.index_put((m,), values),
            a.masked_scatter(m, b).lgamma(),
            aten._trilinear(a, b, b, [], [], [], []),
        )
    )
    arguments = A, MASK, B
    compiled = canao.compile(model, arguments, threads=1, tune="off")
    torch.testing.assert_close(compiled(*arguments), model(*arguments))


def test_more_places_than_values_end_the_run() -> None:
    model = _Function(lambda a, m: a.masked_scatter(m, a[0, :2]))
    imported = import_model(model, (A, MASK))
    with pytest.raises(canao.CanaoError, match="out of range"):
        run(imported, A, MASK)


def test_slopes_drawn_in_training_are_refused() -> None:
    model = _Function(lambda a: F.rrelu(a, training=True))
    with pytest.raises(UnsupportedOpError, match="random numbers are not drawn"):
        import_model(model, (A,))


def test_what_torch_mlir_cannot_import_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from canao.frontend import torch_import

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("Heterogeneous lists are not supported")

    monkeypatch.setattr(torch_import.FxImporter, "import_program", fail)
    with pytest.raises(UnsupportedModelError, match="cannot import the model: Heterogeneous"):
        import_model(_Function(torch.sin), (A,))
