"""Whatever nests goes in and comes out: by every container that PyTorch's pytrees know."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import canao
from canao.errors import ShapeMismatchError, UnsupportedModelError


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclass
class Fields:
    scores: Tensor
    extra: Tensor | None = None


torch.export.register_dataclass(Fields, serialized_type_name="test_structures.Fields")

X = torch.ones(2, 3)
Y = torch.full((3,), 2.0)


class Function(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, value: Any) -> Any:
        return self.function(value)


def compiled(model: Any, example: Any) -> canao.CompiledModel:
    return canao.compile(model, example, threads=1, tune="off")


def outputs(x: Tensor) -> dict[str, Any]:
    return {
        "pair": Pair(x + 1, x + 2),
        "default": defaultdict(list, {"b": x + 3, "a": [x + 4]}),
        "deque": deque([x + 5, x + 6], maxlen=4),
        "size": x.shape,
        "number": 3,
        "max": x.max(0),
        "fields": Fields(x + 7),
        "ordered": OrderedDict(z=x + 8, a=(x + 9,)),
        "none": None,
    }


def check_outputs(found: dict[str, Any], saved: bool) -> None:
    pair, fields = found["pair"], found["fields"]
    assert tuple in type(pair).__mro__
    assert type(pair).__name__ == "Pair"
    assert type(fields) is (SimpleNamespace if saved else Fields)
    assert saved or type(pair) is Pair
    assert torch.equal(pair.second, X + 2)
    assert torch.equal(fields.scores, X + 7)
    default = found["default"]
    assert type(default) is defaultdict
    assert default.default_factory is (None if saved else list)
    assert torch.equal(default["b"], X + 3)
    assert torch.equal(default["a"][0], X + 4)
    assert type(found["deque"]) is deque
    assert found["deque"].maxlen == (None if saved else 4)
    assert torch.equal(found["deque"][1], X + 6)
    assert found["size"] == torch.Size([2, 3])
    assert type(found["size"]) is torch.Size
    assert found["number"] == 3
    assert type(found["max"]) is torch.return_types.max
    assert torch.equal(found["max"].values, X.max(0).values)
    assert torch.equal(found["max"].indices, X.max(0).indices)
    assert list(found["ordered"]) == ["z", "a"]
    assert torch.equal(found["ordered"]["a"][0], X + 9)
    assert found["none"] is None


def test_outputs_and_what_a_saved_model_keeps_of_them(tmp_path: Path) -> None:
    """A loaded model gives the same types in every process, here where all are known too."""
    model = compiled(Function(outputs), (X,))
    check_outputs(model(X), saved=False)
    model.save(tmp_path / "saved")
    check_outputs(canao.load(tmp_path / "saved")(X), saved=True)


def test_inputs() -> None:
    def function(value: Any) -> Tensor:
        pair, fields, queue, default = value
        return pair.first * pair.second + fields.scores * queue[0] - default["k"]

    def example(scale: float = 1.0, extra: Tensor | None = None) -> list[Any]:
        default = defaultdict(list, {"k": X * 3})
        return [Pair(X * scale, Y), Fields(X * 4, extra), deque([Y]), default]

    found = compiled(Function(function), (example(),))
    assert torch.equal(found(example(5.0)), function(example(5.0)))
    plain = [(X, Y), SimpleNamespace(scores=X * 4), [Y], {"k": X * 3}]
    assert torch.equal(found(plain), function(example()))
    with pytest.raises(ShapeMismatchError, match="dataclass with the fields scores, got Fields"):
        found(example(extra=Y))
    with pytest.raises(ShapeMismatchError, match=r"named tuple of 2 values, got int"):
        found([3, *plain[1:]])


def test_variable_arguments() -> None:
    class Variable(nn.Module):
        def forward(self, first: Tensor, *args: Tensor, **kwargs: Tensor) -> Tensor:
            return first * 2 + args[0] - args[1] * kwargs.get("scale", 1)

    model, given = Variable(), (X, X + 1, X + 2)
    found = compiled(model, given)
    assert torch.equal(found(*given), model(*given))
    with pytest.raises(ShapeMismatchError, match=r"'args.1' is missing"):
        found(X, X)
    with pytest.raises(ShapeMismatchError, match="at most 3 inputs, got 4"):
        found(X, X, X, X)
    with pytest.raises(ShapeMismatchError, match=r"'args.0' must have shape \(2, 3\)"):
        found(X, Y, X)


def test_functions_are_models() -> None:
    linear = nn.Linear(3, 3).eval()

    def function(x: Tensor, scale: Tensor) -> Tensor:
        return linear(x) * scale

    found = compiled(function, (X, Y))
    with torch.no_grad():
        torch.testing.assert_close(found(X, scale=Y), function(X, Y))
        torch.testing.assert_close(compiled(linear.forward, X)(X), linear(X))
    assert torch.equal(compiled(lambda x: x.exp(), X)(X), X.exp())
    linear.train()
    with pytest.raises(UnsupportedModelError, match="training mode; call eval"):
        compiled(function, (X, Y))


@pytest.mark.parametrize(
    ("model", "got"),
    [(3, "a builtins.int"), (None, "a builtins.NoneType"), (nn.Linear, "the class Linear: make")],
)
def test_what_is_no_model(model: Any, got: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"a model is a module .* got {got}"):
        compiled(model, (X,))


def test_keys_that_no_file_can_hold() -> None:
    with pytest.raises(UnsupportedModelError, match=r"with the key \('a', 1\); use strings"):
        compiled(Function(lambda x: {("a", 1): x + 1}), (X,))


@pytest.mark.parametrize("name", ["größe", "层", 'a"b\\n\nc /*', "\\xf6", "x" * 300])
def test_names_of_modules(name: str, tmp_path: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(name, nn.Linear(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return self.get_submodule(name)(x)

    model = Named().eval()
    found = compiled(model, (X,))
    with torch.no_grad():
        torch.testing.assert_close(found(X), model(X))
        found.save(tmp_path / "saved")
        torch.testing.assert_close(canao.load(tmp_path / "saved")(X), model(X))
        nn.init.normal_(model.get_parameter(f"{name}.weight"))
        found.update_weights(model)
        torch.testing.assert_close(found(X), model(X))
    with pytest.raises(UnsupportedModelError) as caught:
        found.update_weights(nn.Linear(3, 3))
    assert f"no parameter or buffer '{name}.weight'" in str(caught.value)


def test_named_tuples_of_one_name_stay_apart(tmp_path: Path) -> None:
    new_class: Any = namedtuple
    other = new_class("Pair", ["a", "b"])
    found = compiled(Function(lambda x: (Pair(x + 1, x), other(x + 2, x))), (X,))
    found.save(tmp_path / "saved")
    first, second = canao.load(tmp_path / "saved")(X)
    assert torch.equal(first.first, X + 1)
    assert torch.equal(second.a, X + 2)
