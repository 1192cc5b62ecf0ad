"""Predicts which products are faster as seven of half the size."""

from __future__ import annotations

from dataclasses import dataclass

from canao.machine.processor import VectorUnit

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class ProductTimes:
    """The time of a product with a constant weight, plain and as seven products.

    For `threads` cores of a processor.
    """

    unit: VectorUnit
    threads: int

    def plain(self, rows: int, inner: int, columns: int) -> float:
        """Cycles of one product, its weight read from memory."""
        return self._products(1, rows, inner, columns)

    def strassen_winograd(self, rows: int, inner: int, columns: int) -> float:
        """Cycles of seven products of half the size, and of the sums around them."""
        quarter_in, quarter_out = rows * inner // 4, rows * columns // 4
        # Four sums of two operands each; seven sums of partial results, stored and read again.
        moved = (12 * quarter_in + 14 * quarter_out) * _FLOAT_BYTES
        sums = moved / (self.unit.traffic.cache_bytes * self.threads)
        products = self._products(7, rows // 2, inner // 2, columns // 2)
        return products + sums + self.unit.traffic.layer_cycles

    def gain(self, rows: int, inner: int, columns: int) -> float:
        """How many times as fast seven products are."""
        return self.plain(rows, inner, columns) / self.strassen_winograd(rows, inner, columns)

    def _products(self, count: int, rows: int, inner: int, columns: int) -> float:
        a_cycle = self.unit.multiply_adds * self.unit.lanes_f32 * self.threads
        reading = _FLOAT_BYTES * inner * columns / self.unit.traffic.memory_bytes
        return count * max(rows * inner * columns / a_cycle, reading)
