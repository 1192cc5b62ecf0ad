"""Predicts which products are faster as seven of half the size."""

from __future__ import annotations

from dataclasses import dataclass

_MULTIPLY_ADDS = 2
"""Vectors of multiply-adds that a core does in a cycle."""
_MEMORY_BYTES = 5.0
"""Bytes that all cores together read from memory in a cycle."""
_CACHE_BYTES = 16.0
"""Bytes that a core reads and writes in its larger cache in a cycle."""
_LAYER_CYCLES = 4000.0
"""Cycles of one layer more: its loops, and threads that wait for each other."""
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class ProductTimes:
    """The time of a product with a constant weight, plain and as seven products.

    For `threads` cores with vectors of `lanes` float32 numbers.
    """

    lanes: int
    threads: int

    def plain(self, rows: int, inner: int, columns: int) -> float:
        """Cycles of one product, its weight read from memory."""
        return self._products(1, rows, inner, columns)

    def strassen_winograd(self, rows: int, inner: int, columns: int) -> float:
        """Cycles of seven products of half the size, and of the sums around them."""
        quarter_in, quarter_out = rows * inner // 4, rows * columns // 4
        # Four sums of two operands each; seven sums of partial results, stored and read again.
        moved = (12 * quarter_in + 14 * quarter_out) * _FLOAT_BYTES
        sums = moved / (_CACHE_BYTES * self.threads)
        products = self._products(7, rows // 2, inner // 2, columns // 2)
        return products + sums + _LAYER_CYCLES

    def gain(self, rows: int, inner: int, columns: int) -> float:
        """How many times as fast seven products are."""
        return self.plain(rows, inner, columns) / self.strassen_winograd(rows, inner, columns)

    def _products(self, count: int, rows: int, inner: int, columns: int) -> float:
        arithmetic = rows * inner * columns / (_MULTIPLY_ADDS * self.lanes * self.threads)
        return count * max(arithmetic, _FLOAT_BYTES * inner * columns / _MEMORY_BYTES)
