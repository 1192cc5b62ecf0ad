"""What models take and return as it is, or as no compiled model can: each has an answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import canao
from canao.errors import UnsupportedModelError


class Calling(nn.Module):
    """A function with a parameter and buffers of this module."""

    def __init__(self, function: Callable[..., Any], **buffers: Tensor) -> None:
        super().__init__()
        self.function = function
        self.table = nn.Parameter(torch.arange(200.0).reshape(2, 100))
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)

    def forward(self, x: Any, y: Any = None) -> Any:
        return self.function(self, x, y)


X = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))


def compiled_of(model: nn.Module, inputs: tuple[Any, ...]) -> canao.CompiledModel:
    return canao.compile(model, inputs, threads=1, tune="off")


RETURNED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "input": (lambda m, x, y: x, (X,)),
    "inputs_swapped": (lambda m, x, y: (y, x), (X, X + 1)),
    "input_twice_and_a_sum": (lambda m, x, y: (x, x, x + 1), (X,)),
    "input_copied": (lambda m, x, y: (x.clone(), x.contiguous(), x.view(3, 2)), (X,)),
    "input_as_view": (lambda m, x, y: torch.ops.prims.view_of(x + 1), (X,)),
    "prims_of_shapes": (
        lambda m, x, y: torch.ops.prims.squeeze(torch.ops.prims.split_dim(x + 1, 1, 1), [1]),
        (X,),
    ),
    "truth": (lambda m, x, y: x, (X > 0,)),
    "bytes": (lambda m, x, y: {"x": x}, (torch.arange(6, dtype=torch.int8),)),
    "halves": (lambda m, x, y: [x], (X.half(),)),
    "not_contiguous": (lambda m, x, y: x, (torch.arange(6.0).reshape(2, 3).t(),)),
    "parameter": (lambda m, x, y: m.table, (X,)),
    "parameter_and_views": (lambda m, x, y: (m.table, m.table.t(), m.table[0]), (X,)),
    "literal": (lambda m, x, y: torch.tensor([1, 2]), (X,)),
    "made": (lambda m, x, y: (torch.ones(2, 3), torch.zeros_like(x)), (X,)),
    "result_twice": (lambda m, x, y: (lambda z: (z, z.view(-1), z))(x + 1), (X,)),
    "nothing": (lambda m, x, y: None, (X,)),
    "no_tensor": (lambda m, x, y: (1, "two", 3.5, None), (X,)),
    "largest": (lambda m, x, y: x.max(-1), (X,)),
    "least_kept": (lambda m, x, y: {"least": x.min(0, keepdim=True)}, (X,)),
    "both": (lambda m, x, y: [torch.aminmax(x)], (X,)),
}


def _memory(value: Any) -> list[int]:
    tensors = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
    return [tensor.untyped_storage().data_ptr() for tensor in tensors]


@torch.no_grad()
@pytest.mark.parametrize("name", RETURNED)
def test_what_is_returned_as_it_is(name: str, tmp_path: Path) -> None:
    function, inputs = RETURNED[name]
    model = Calling(function).eval()
    compiled, want = compiled_of(model, inputs), model(*inputs)
    compiled.save(tmp_path / "saved")
    for callee in (compiled, canao.load(tmp_path / "saved")):
        got = callee(*inputs)
        assert isinstance(got, Tensor) or type(got) is type(want)
        found, expected = tree_leaves(got), tree_leaves(want)
        for one, other in zip(found, expected, strict=True):
            if not isinstance(other, Tensor):
                assert one == other
                continue
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
        tensors = [n for n, leaf in enumerate(expected) if isinstance(leaf, Tensor)]
        places = dict(zip(tensors, _memory(got), strict=True))
        for one, other in combinations(tensors, 2):
            # Tensors that PyTorch keeps apart share nothing; one tensor stays one.
            same = expected[one] is expected[other]
            assert (found[one] is found[other]) == same
            assert (places[one] == places[other]) == same
        assert not set(places.values()) & {*_memory(inputs), *_memory(callee(*inputs))}
    assert compiled.measure(runs=2, warmup=1).median >= 0


def test_named_results_have_their_names() -> None:
    x = torch.tensor([[1.0, float("nan"), 3.0], [5.0, 5.0, -1.0]])
    model = Calling(lambda m, x, y: x.max(-1))
    got = compiled_of(model, (x,))(x)
    assert isinstance(got, torch.return_types.max)
    assert got.indices.tolist() == [1, 0]
    assert got.values[1] == 5
    _, indices = got
    assert indices is got.indices


COMPLEX = torch.randn(3, dtype=torch.complex64)
REFUSED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "complex_input": (lambda m, x, y: x.real, (COMPLEX,), "input 'x' has dtype complex64"),
    "nested": (
        lambda m, x, y: y["a"][0] + 1,
        (X, {"a": [X.to(torch.uint16)]}),
        r"input 'y.a.0' has dtype uint16",
    ),
    "complex_weight": (lambda m, x, y: (m.b * x).real, (X,), "weight 'b' has dtype complex64"),
    "complex_result": (lambda m, x, y: [x, torch.complex(x, x)], (X,), "result 'output.1' has"),
    "unsigned_result": (lambda m, x, y: x.to(torch.uint64), (X,), "'output' has dtype uint64"),
    "number": (lambda m, x, y: x + y.real, (X, 2 + 1j), "input 'y' is a builtins.complex"),
    "object": (lambda m, x, y: x, (X, [object()]), r"input 'y\[0\]' is a builtins.object"),
    "sparse": (lambda m, x, y: x + 1, (X.to_sparse(),), "'x' is not dense .* sparse_coo; .*to_d"),
    "meta": (lambda m, x, y: x + 1, (X.to("meta"),), "input 'x' is on meta, where .* no values"),
    "meta_weight": (lambda m, x, y: x @ m.elsewhere, (X,), "weight 'elsewhere' is on meta"),
    "array": (lambda m, x, y: x + 1, (X.numpy(),), "input 'x' is a numpy.ndarray"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name: str) -> None:
    function, inputs, message = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=message):
        compiled_of(Calling(function, b=COMPLEX, elsewhere=X.t().to("meta")), inputs)


def test_quantised_weights_are_named() -> None:
    with pytest.warns(UserWarning, match="deprecated"):
        weight = torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.quint8)
    model = Calling(lambda m, x, y: x + m.q.dequantize(), q=weight)
    with pytest.raises(UnsupportedModelError, match="weight 'q' has dtype quint8"):
        compiled_of(model, (X,))


def test_what_is_not_used_is_not_refused() -> None:
    model = Calling(lambda m, x, y: x + 1, b=COMPLEX)
    assert torch.equal(compiled_of(model, (X,))(X), X + 1)


def test_a_model_saved_in_the_place_of_a_loaded_one(tmp_path: Path) -> None:
    first = compiled_of(Calling(lambda m, x, y: x * 2), (X,))
    other = compiled_of(Calling(lambda m, x, y: (x + 1).exp().sum(0)), (X,))
    first.save(tmp_path / "saved")
    before = canao.load(tmp_path / "saved")
    other.save(tmp_path / "saved")
    after = canao.load(tmp_path / "saved")
    torch.testing.assert_close(after(X), (X + 1).exp().sum(0))
    assert torch.equal(before(X), X * 2)
