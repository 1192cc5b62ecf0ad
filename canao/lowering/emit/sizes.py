"""Extents that are known when a kernel runs: read from the sizes it is given, and computed."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import affine, arith
from xdsl.dialects.builtin import AffineMapAttr, IndexType, i64
from xdsl.ir import Block, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineMap

from canao.extent import Symbol, is_symbolic, terms_of
from canao.lowering.emit.loops import index_constant
from canao.lowering.emit.scalar_ops import add


class Sizes:
    """The extents of one kernel as values of type index, all computed in its first block."""

    def __init__(self, block: Block, memory: SSAValue | None, symbols: Sequence[Symbol]) -> None:
        self._block = block
        self._memory = memory
        self._numbers = {symbol: n for n, symbol in enumerate(symbols)}
        self._known: dict[int | Symbol, SSAValue] = {}

    def value(self, extent: int) -> SSAValue:
        """An extent as a value of the kernel."""
        if extent not in self._known:
            self._known[extent] = self._sum(extent)
        return self._known[extent]

    def count(self, extent: int) -> SSAValue | None:
        """As `value`, or None for an extent that is a number."""
        return self.value(extent) if is_symbolic(extent) else None

    def _sum(self, extent: int) -> SSAValue:
        total: SSAValue | None = None
        for monomial, factor in terms_of(extent):
            term: SSAValue | None = None
            for symbol in monomial:
                size = self._symbol(symbol)
                term = size if term is None else add(self._block, arith.MuliOp(term, size))
            if term is None:
                term = index_constant(self._block, factor)
            elif factor != 1:
                by = index_constant(self._block, factor)
                term = add(self._block, arith.MuliOp(term, by))
            total = term if total is None else add(self._block, arith.AddiOp(total, term))
        return index_constant(self._block, 0) if total is None else total

    def _symbol(self, symbol: Symbol) -> SSAValue:
        if symbol not in self._known:
            assert self._memory is not None
            place = AffineMap(0, 0, (AffineConstantExpr(self._numbers[symbol]),))
            load = affine.LoadOp.create(
                operands=[self._memory],
                properties={"map": AffineMapAttr(place)},
                result_types=[i64],
            )
            cast = arith.IndexCastOp(add(self._block, load), IndexType())
            self._known[symbol] = add(self._block, cast)
        return self._known[symbol]
