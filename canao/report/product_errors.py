"""Measures what products lose by being computed as seven: against float64, on their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from canao.program import FastProduct, ProductError
from canao.runtime.module import Array

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

_ROWS, _COLUMNS = 32, 128
"""Rows of random numbers, and columns of a weight, that are tried: all are alike."""


def measure_errors(
    products: Sequence[FastProduct], weights: Mapping[str, Array]
) -> tuple[FastProduct, ...]:
    """The products with the errors of their float32 results, and those of plain products.

    The interpreter computes both forms for standard normal numbers times the
    model's own weights, in float32 and, as a reference, in float64.
    """
    from canao.interpreters.canao import evaluate
    from canao.runtime.parse import parse_module

    modules = cache(_both_forms)
    rng = np.random.default_rng(0)
    measured: list[FastProduct] = []
    for product in products:
        weight = _sample(evaluate(parse_module(product.weight), [], weights)[0])
        rows = min(_ROWS, product.rows)
        plain, seven = modules(rows, *weight.shape)
        inputs = [rng.standard_normal((rows, product.inner), np.float32)]
        given = {"w": weight}
        (reference,) = evaluate(plain, inputs, given, float64=True)
        error, plain_error = (
            _error(evaluate(form, inputs, given)[0], reference) for form in (seven, plain)
        )
        measured.append(replace(product, error=error, plain_error=plain_error))
    return tuple(measured)


def _sample(weight: Array) -> Array:
    """Columns of a weight that the law takes together: as many of either half."""
    half = weight.shape[1] // 2
    taken = min(_COLUMNS // 2, half)
    return np.concatenate([weight[:, :taken], weight[:, half : half + taken]], axis=1)


def _error(found: Array, reference: Array) -> ProductError:
    if not reference.any():
        return ProductError(0.0, 0.0)
    difference = np.subtract(found, reference)
    return ProductError(
        float(np.linalg.norm(difference) / np.linalg.norm(reference)),
        float(np.abs(difference).max() / np.abs(reference).max()),
    )


def _both_forms(rows: int, inner: int, columns: int) -> tuple[ModuleOp, ModuleOp]:
    """A product with a weight, and the same as seven products."""
    from xdsl.dialects import func
    from xdsl.dialects.builtin import ModuleOp, TensorType, f32
    from xdsl.ir import Block, Region

    from canao.dialects.canao import MatmulOp, WeightOp
    from canao.transforms.lp_fusion.laws.apply import Constants
    from canao.transforms.lp_fusion.laws.fast.strassen_winograd import MultiplyByStrassenWinograd

    def build(rewrite: Callable[[Block], object]) -> ModuleOp:
        block = Block(arg_types=[TensorType(f32, [rows, inner])])
        weight = WeightOp("w", TensorType(f32, [inner, columns]))
        product = MatmulOp(block.args[0], weight.result)
        block.add_ops([weight, product, func.ReturnOp(product.result)])
        rewrite(block)
        signature = (block.arg_types, [TensorType(f32, [rows, columns])])
        return ModuleOp([func.FuncOp("main", signature, Region(block))])

    law = MultiplyByStrassenWinograd(lambda *_: True)
    return build(lambda _: None), build(lambda block: law.split(block, Constants(block)))
