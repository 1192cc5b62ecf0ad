"""Applies the law that is used on request only, and notes where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue

from canao.dialects.canao import WeightOp
from canao.transforms.law_uses import Use, Uses
from canao.transforms.lp_fusion.laws.apply import Constants
from canao.transforms.lp_fusion.laws.fast.product_time import ProductTimes
from canao.transforms.lp_fusion.laws.fast.strassen_winograd import (
    MultiplyByStrassenWinograd,
    SplitProduct,
)

LEAST_GAIN = 1.03
"""Products that are predicted to gain less stay: the prediction is no better than this."""


@dataclass(frozen=True)
class StrassenWinogradProduct:
    """A product that is computed as seven, and what its weight is made of."""

    rows: int
    inner: int
    columns: int
    predicted_gain: float
    weights: tuple[str, ...]
    """The names of the model's weights that take part."""
    weight: str
    """MLIR text of a module whose function `@main` makes the constant operand."""


@dataclass(frozen=True)
class FastLayers:
    """What became of the products of a block."""

    used: Uses = field(default_factory=Uses)
    products: Sequence[StrassenWinogradProduct] = ()
    layers: Sequence[Sequence[Operation]] = ()
    """The operations of each layer that was made."""
    cuts: Collection[Operation] = ()
    """Operations on weights that belong in these layers, not in front of them."""


@dataclass(frozen=True)
class FastLaw:
    """Multiplies in seven products where that is predicted to pay."""

    times: ProductTimes

    def apply(self, block: Block) -> FastLayers:
        """Rewrites a block."""

        def pays(rows: int, inner: int, columns: int) -> bool:
            return self.times.gain(rows, inner, columns) >= LEAST_GAIN

        law = MultiplyByStrassenWinograd(pays)
        found = law.split(block, Constants(block))
        return FastLayers(
            used=Uses({Use(law.name, True): len(found)}),
            products=[self._note(p) for p in found],
            layers=[layer for p in found for layer in (p.sums, p.products)],
            cuts={cut for p in found for cut in p.cuts},
        )

    def _note(self, product: SplitProduct) -> StrassenWinogradProduct:
        text, names = _weight_module(product.weight)
        size = (product.rows, product.inner, product.columns)
        return StrassenWinogradProduct(*size, self.times.gain(*size), names, text)


def _weight_module(value: SSAValue) -> tuple[str, tuple[str, ...]]:
    """A module that computes a constant expression, and the weights that it reads."""
    ops: dict[Operation, None] = {}

    def visit(op: Operation) -> None:
        if op in ops:
            return
        for operand in op.operands:
            assert isinstance(operand.owner, Operation)
            visit(operand.owner)
        ops[op] = None

    assert isinstance(value.owner, Operation)
    visit(value.owner)
    copies: dict[SSAValue, SSAValue] = {}
    body = Block([op.clone(copies) for op in ops])
    body.add_op(func.ReturnOp(copies[value]))
    module = ModuleOp([func.FuncOp("main", ([], [value.type]), Region(body))])
    names = tuple(op.sym.data for op in ops if isinstance(op, WeightOp))
    return str(module), names
