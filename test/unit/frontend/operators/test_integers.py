"""Integers and truth values mean what they mean in PyTorch: op by op, dtype by dtype, in chains.

Random expressions on inputs of all dtypes, with the extremes of their ranges. Those that
PyTorch refuses are left out; the others must have its dtype and its numbers, both in the
interpreter and in compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from unit.frontend.operators.oracle import run

import canao
from canao.frontend.torch_import import import_model

SHAPE = (2, 9)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
DTYPES = (*INTEGERS, torch.bool, torch.float32, torch.float64)

Value = Any
"""A tensor or a Python number."""


def _is_float(value: Value) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


class LeftOut(Exception):
    """PyTorch defines no result, or rounding may decide it."""


def _input(dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """The extremes of a dtype, numbers around zero, and some between."""
    generator = torch.Generator().manual_seed(DTYPES.index(dtype))
    if dtype is torch.bool:
        return torch.rand(shape, generator=generator) > 0.5
    if dtype.is_floating_point:
        return torch.randint(-40, 40, shape, generator=generator).to(dtype) / 4
    info = torch.iinfo(dtype)
    some = [info.min, info.max, 0, 1, 2, 3, info.max // 2, info.min + 1, info.max - 1, 5, 7]
    some += [-1, -2, -7] if info.min else [200, 254, 77]
    places = torch.randint(0, len(some), shape, generator=generator)
    return torch.tensor(some, dtype=dtype)[places]


INPUTS = tuple(_input(dtype, SHAPE) for dtype in DTYPES) + tuple(
    torch.tensor(value, dtype=dtype)
    for dtype, value in [(torch.int64, -1), (torch.int32, 300), (torch.uint8, 3), (torch.bool, 1)]
)

BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "alpha": lambda a, b: torch.add(a, b, alpha=-3),
    "rsub": lambda a, b: torch.rsub(a, b),
    "and": torch.logical_and,
    "or": torch.logical_or,
    "xor": torch.logical_xor,
    "where": lambda a, b: torch.where(a > 2, a, b),
    "fill": lambda a, b: a.masked_fill(a > 2, b),
    "power": lambda a, b: a ** (b % 5),
}
UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "not": torch.bitwise_not,
    "lnot": torch.logical_not,
    "square": torch.square,
    "cube": lambda a: a**3,
    "fourth": lambda a: a**4,
    "sign": torch.sign,
    "sum": torch.sum,
    "sum in place": lambda a: torch.sum(a, -1, dtype=a.dtype),
    "cumsum": lambda a: torch.cumsum(a, -1),
    "cumsum in place": lambda a: torch.cumsum(a, -1, dtype=a.dtype),
    "amax": lambda a: torch.amax(a, 0),
    "amin": lambda a: torch.amin(a, -1, keepdim=True),
    "any": torch.any,
    "all": lambda a: torch.all(a, -1),
    "clamp": lambda a: torch.clamp(a, 3, 100),
    "at least": lambda a: torch.clamp(a, min=-1),
    "move": lambda a: a.reshape(-1)[-3:],
    "full": lambda a: torch.full_like(a, 100) + a,
    "mean": torch.mean,
    **{f"to {dtype}": lambda a, dtype=dtype: a.to(dtype) for dtype in DTYPES},
}
ROUNDED = frozenset({"//", "%", "trunc", "power"})
"""Operations that tests of floating-point numbers cover."""


@dataclass(frozen=True)
class Node:
    """An operation on the results of others; a leaf is the number of an input, or a scalar."""

    name: str
    operands: tuple[Node, ...] = ()
    leaf: Value = None

    def value(self, inputs: Sequence[Tensor], *, strict: bool = False) -> Value:
        """The result; `LeftOut`, where `strict`, for what PyTorch leaves open."""
        if self.name == "input":
            return inputs[self.leaf]
        if self.name == "scalar":
            return self.leaf
        values = [operand.value(inputs, strict=strict) for operand in self.operands]
        if strict:
            self._check(values)
        return (UNARY if len(values) == 1 else BINARY)[self.name](*values)

    def _check(self, values: Sequence[Value]) -> None:
        tensors = [value for value in values if isinstance(value, Tensor)]
        if not tensors:
            raise LeftOut("Python computes it")
        floats = [value for value in values if isinstance(value, float) or _is_float(value)]
        if floats and self.name in ROUNDED:
            raise LeftOut("a rounding of floats")
        if len({value.dtype for value in tensors if _is_float(value)}) > 1:
            raise LeftOut("a mixture of floats alone")
        if any(o.operands and _is_float(v) for o, v in zip(self.operands, values, strict=True)):
            raise LeftOut("rounding may decide what comes after it")
        if self.name == "trunc" and (tensors[0] == torch.iinfo(tensors[0].dtype).min).any():
            raise LeftOut("PyTorch crashes at the least integer by -1")
        if self.name.startswith("to ") and floats and (tensors[0].abs() > 100).any():
            raise LeftOut("the conversion is undefined")
        if self.name.startswith("to torch.uint") and floats and (tensors[0] < 0).any():
            raise LeftOut("the conversion is undefined")

    def __str__(self) -> str:
        if not self.operands:
            return f"x{self.leaf}" if self.name == "input" else repr(self.leaf)
        return f"({self.name} {' '.join(map(str, self.operands))})"


LEAVES = st.integers(0, len(INPUTS) - 1).map(lambda n: Node("input", leaf=n))
SCALARS = (
    st.sampled_from([-1, 0, 1, 2, -3, 7, 100, 255, 300, -129]) | st.sampled_from([0.5, True])
).map(lambda number: Node("scalar", leaf=number))


def _nodes(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    names = st.sampled_from(sorted(BINARY))
    pairs = st.tuples(inner, inner) | st.tuples(inner, SCALARS) | st.tuples(SCALARS, inner)
    binary = st.builds(Node, names, pairs)
    unary = st.builds(Node, st.sampled_from(sorted(UNARY)), st.tuples(inner))
    return binary | binary | unary


EXPRESSIONS = _nodes(LEAVES) | _nodes(LEAVES | _nodes(LEAVES)) | _nodes(_nodes(_nodes(LEAVES)))


class Model(nn.Module):
    """Several expressions of the same inputs."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        self.nodes = tuple(nodes)

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        return [node.value(inputs) for node in self.nodes]


def defined(nodes: Sequence[Node]) -> list[Node]:
    """The expressions that PyTorch computes."""
    kept: list[Node] = []
    for node in nodes:
        try:
            node.value(INPUTS, strict=True)
        except (LeftOut, RuntimeError, TypeError, AttributeError):
            continue
        kept.append(node)
    return kept


def compare(found: Sequence[Tensor], expected: Sequence[Tensor], nodes: Sequence[Node]) -> None:
    for got, want, node in zip(found, expected, nodes, strict=True):
        assert got.dtype == want.dtype, str(node)
        digits = {torch.float32: 1e-6, torch.float64: 1e-12}.get(want.dtype, 0)
        np.testing.assert_allclose(got.numpy(), want.numpy(), digits, 0, err_msg=str(node))


def check(nodes: Sequence[Node], target: str = "c") -> None:
    nodes = defined(nodes)
    if not nodes:
        return
    model = Model(nodes)
    expected = model(*INPUTS)
    compare(run(import_model(model, INPUTS), *INPUTS), expected, nodes)
    threads = 1 if target == "c" else None
    compiled = canao.compile(model, INPUTS, target=target, threads=threads, tune="off")
    compare(compiled(*INPUTS), expected, nodes)


def drawn(examples: int) -> Any:
    """Lists of expressions; each costs one run of the compilers."""
    return lambda test: settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )(given(st.lists(EXPRESSIONS, min_size=30, max_size=30))(test))


@seed(20)
@drawn(4)
def test_a_few_expressions(nodes: list[Node]) -> None:
    check(nodes)


@pytest.mark.slow
@drawn(150)
def test_many_expressions(nodes: list[Node]) -> None:
    check(nodes)


@pytest.mark.slow
@drawn(10)
def test_expressions_on_a_device(nodes: list[Node]) -> None:
    check(nodes, "opencl")


class Buffers(nn.Module):
    """Weights of narrow integers, small ones that become constants and large ones."""

    few: Tensor
    many: Tensor
    signed: Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("few", torch.tensor([250, 3, 7], dtype=torch.uint8))
        many = torch.randint(0, 256, (5000,), generator=generator, dtype=torch.uint8)
        self.register_buffer("many", many)
        signed = torch.randint(-128, 128, (80, 80), generator=generator, dtype=torch.int8)
        self.register_buffer("signed", signed)

    def forward(self, x: Tensor) -> list[Tensor]:
        few, many, signed = self.few, self.many, self.signed
        joined = torch.cat([few, x])
        sums = [few + x, many[:3] + x, (few * x).float(), (many + 200).sum(), signed + signed]
        return [*sums, joined // 2, signed @ signed, few[x.long() % 3]]


def test_weights_of_narrow_integers(tmp_path: Path) -> None:
    model, x = Buffers(), torch.tensor([200, 100, 255], dtype=torch.uint8)
    compiled = canao.compile(model, (x,), threads=1, tune="off")
    loaded = canao.load(compiled.save(tmp_path / "saved"))
    for run_it in (compiled, loaded):
        for got, want in zip(run_it(x), model(x), strict=True):
            assert got.dtype == want.dtype
            assert torch.equal(got, want)


def test_ids_need_no_arithmetic() -> None:
    """What cannot leave its range is neither wrapped nor converted."""
    table, ids = nn.Embedding(9, 4), torch.tensor([1, 8], dtype=torch.int32)
    compiled = canao.compile(table, (ids,), threads=1, tune="off")
    assert "canao.wrap" not in compiled.ir("canao")
    assert "canao.cast" not in compiled.ir("canao")
    assert torch.equal(compiled(ids), table(ids))
