"""Importing: weights, modes, locations and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from unit.frontend.operators.oracle import check_equal, run

from canao.errors import (
    CanaoError,
    InputFileError,
    UnsupportedModelError,
    UnsupportedOpError,
)
from canao.extent import symbols_in
from canao.frontend.imported import convention_of, mlir_context, parse_mlir
from canao.frontend.torch_import import import_model
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass


class Network(nn.Module):
    """A layer with dropout, a large and a small buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 100)
        self.tied = self.layer.weight
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("positions", torch.arange(100))
        self.register_buffer("scale", torch.linspace(0, 1, 100))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.dropout(self.layer(x)) * self.scale + self.positions
        return y @ self.tied


class Function(nn.Module):
    """A module that calls a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def test_weights_share_memory_and_stay_out_of_the_module() -> None:
    model = Network().eval()
    imported = import_model(model, (torch.ones(2, 8),))
    assert set(imported.weights) == {"layer.weight", "layer.bias", "scale"}
    data = imported.weights["layer.weight"]
    assert np.shares_memory(data, model.layer.weight.detach().numpy())
    assert len(str(imported.module)) < 10_000


def test_small_integer_buffers_become_constants() -> None:
    text = str(import_model(Network(), (torch.ones(2, 8),)).module)
    assert "canao.constant" in text
    assert '"positions"' not in text


def test_mode_is_restored_and_dropout_off() -> None:
    model = Network().train()
    model.layer.eval()
    x = torch.ones(2, 8)
    imported = import_model(model, (x,))
    assert model.training
    assert model.dropout.training
    assert not model.layer.training
    with torch.no_grad():
        check_equal(run(imported, x), model.eval()(x))


def test_mode_is_restored_after_an_error() -> None:
    model = Function(lambda x: x.nonzero()).train()
    with pytest.raises(CanaoError):
        import_model(model, (torch.ones(3),))
    assert model.training


def test_active_dropout_is_refused() -> None:
    program = torch.export.export(Network().train(), (torch.ones(2, 8),), strict=False)
    with pytest.raises(UnsupportedOpError, match=r"aten.dropout.*test_import.py:\d+.*eval\(\)"):
        run(import_model(program, ()), torch.ones(2, 8))


def _bessel(x: torch.Tensor) -> torch.Tensor:
    """A helper outside of the model with an operation that has no conversion."""
    return torch.special.i0(x)


class Helped(nn.Module):
    """A model that computes in a method and in a function."""

    def inner(self, x: torch.Tensor) -> torch.Tensor:
        return x.tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _bessel(self.inner(x))


class Inner(Helped):
    """The same without the unsupported operation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.inner(x))


_BESSEL_LINE = _bessel.__code__.co_firstlineno + 2


def test_unsupported_operation_names_its_source_line() -> None:
    with pytest.raises(UnsupportedOpError) as caught:
        import_model(Helped(), (torch.ones(3, 4),))
    assert caught.value.op == "aten.i0"
    assert f"test_import.py:{_BESSEL_LINE} in _bessel" in str(caught.value)


def test_operations_of_helpers_keep_the_line_of_the_helper() -> None:
    text = str(import_model(Inner(), (torch.ones(3, 4),)).module)
    line = Helped.inner.__code__.co_firstlineno + 1
    assert f"test_import.py:{line} in inner" in text
    # Functions of PyTorch are none of the model's source.
    assert f"test_import.py:{Inner.forward.__code__.co_firstlineno + 1} in forward" in text
    assert "functional.py" not in text


def test_operations_keep_their_source_line() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return x.tanh()

    text = str(import_model(Function(function), (torch.ones(3),)).module)
    assert f"test_import.py:{function.__code__.co_firstlineno + 1} in function" in text


class Counter(nn.Module):
    """A model that changes a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: torch.Tensor
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        return x + self.calls


def test_mutated_buffers_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"'calls' in place"):
        import_model(Counter(), (torch.ones(3),))


def test_untraceable_models_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"torch\.export cannot trace Function"):
        import_model(Function(lambda x: x if x.sum() > 0 else -x), (torch.ones(3),))


def test_dynamic_shapes_are_extents() -> None:
    shapes = ({0: torch.export.Dim("rows", min=2, max=9)},)
    program = torch.export.export(nn.Linear(4, 4), (torch.ones(3, 4),), dynamic_shapes=shapes)
    (leaf,) = import_model(program, ()).convention.inputs
    (symbol,) = symbols_in(leaf.shape)
    assert (symbol.low, symbol.high) == (2, 9)
    assert leaf.shape[1] == 4


def test_inputs_constants_and_repetitions_in_the_result() -> None:
    def forward(x: torch.Tensor) -> dict[str, Any]:
        y = x + 1
        return {"same": x, "none": None, "two": 2, "y": y, "again": [y, (y * 2,)]}

    x = torch.ones(3)
    found = run(import_model(Function(forward), (x,)), x)
    assert found["none"] is None
    assert found["two"] == 2
    assert found["same"].data_ptr() != x.data_ptr()
    check_equal(found["again"], [x + 1, (2 * (x + 1),)])


def test_narrow_integers() -> None:
    x = torch.arange(4, dtype=torch.int32)
    found = run(import_model(Function(lambda x: x * 3 - 1), (x,)), x)
    check_equal(found, x * 3 - 1)


_TEXT = """
func.func @main(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
  %0 = "torch.aten.tanh"(%x) : (!torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32>
  func.return %0 : !torch.vtensor<[2,3],f32>
}
"""


def test_text_and_file(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(_TEXT, encoding="utf-8")
    assert str(parse_mlir(path)) == str(parse_mlir(_TEXT)) == str(parse_mlir(str(path)))


def test_convention_of_text() -> None:
    module = parse_mlir(_TEXT)
    ConvertTorchToCanaoPass().apply(mlir_context(), module)
    convention = convention_of(module)
    (array,) = convention.flatten((torch.ones(2, 3),), {})
    assert array.shape == (2, 3)
    assert convention.inputs[0].name == "x"
    check_equal(convention.rebuild([array]), torch.ones(2, 3))


def test_malformed_text_names_line_and_column() -> None:
    with pytest.raises(InputFileError, match=r"<string>:4:\d+: "):
        parse_mlir(_TEXT.replace("func.return %0", "func.return %7 ?"))


def test_missing_file() -> None:
    with pytest.raises(InputFileError, match=r"cannot read 'nowhere.mlir'.*check the path"):
        parse_mlir("nowhere.mlir")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("torch.aten.tanh", "torch.aten.fft_fft", r"'aten.fft_fft' at operation 0 of @main"),
        ("[2,3],f32", "[2,?],f32", "not known"),
        ("[2,3],f32", "[2,3],complex<f32>", "elements of type complex<f32>"),
    ],
)
def test_unsupported_text(before: str, after: str, message: str) -> None:
    module = parse_mlir(_TEXT.replace(before, after))
    with pytest.raises(CanaoError, match=message):
        ConvertTorchToCanaoPass().apply(mlir_context(), module)


def test_parameters_in_lists() -> None:
    """A list may hold parameters and what is computed, side by side."""

    class WithToken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.full((1, 3), 2.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.token, x])

    model, x = WithToken(), torch.ones(2, 3)
    check_equal(run(import_model(model, (x,)), x), model(x).detach())
