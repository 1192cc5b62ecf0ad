"""Every law of the table is proved: with symbols, and with tensors by the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from unit.expressions import build
from unit.strategies import Graph
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.ir import Block

from canao.interpreters.canao import evaluate
from canao.transforms.canao_simplify import LAWS_THAT_ROUND, CanaoSimplifyPass
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.law_uses import Uses
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.lp_fusion.laws.algebra.algebra import NORMAL_FORM_LAWS
from canao.transforms.lp_fusion.laws.algebra.distributivity import SUM_LAWS
from canao.transforms.lp_fusion.laws.algebra.reductions import REDUCTION_LAWS
from canao.transforms.lp_fusion.laws.algebra.share import BLOCK_LAWS
from canao.transforms.lp_fusion.laws.apply import LOCAL_LAWS, Constants, apply_laws, cost_of_block
from canao.transforms.lp_fusion.laws.law import LawEntry, Proof, Stage
from canao.transforms.lp_fusion.laws.table import LAWS

PAIRS = [(law, proof) for law in LAWS for proof in law.proofs]


def name_of(value: object) -> str:
    """What a parametrised test calls a law; its proofs are told apart by number."""
    return value.name if isinstance(value, LawEntry) else ""


every_proof = pytest.mark.parametrize(("law", "proof"), PAIRS, ids=name_of)


def main_block(graph: Graph) -> Block:
    return next(f for f in graph.module.ops if isinstance(f, func.FuncOp)).body.block


def run_stage(graph: Graph, law: LawEntry, exact: bool = False) -> Uses:
    """Applies the laws of a law's stage, and the law if it is used on request; returns the uses."""
    context, stage = Context(), law.stage
    if stage is Stage.FUSE:
        block = main_block(graph)
        used = apply_laws(block, exact)
        if law.on_request and not exact:
            used += law.rewrite(lambda *_: True).apply(block, Constants(block))
    elif stage is Stage.SIMPLIFY:
        simplify = CanaoSimplifyPass(exact=exact)
        simplify.apply(context, graph.module)
        used = simplify.used
    else:
        # These laws work inside layers, on what exact laws leave there.
        LPFusionPass(exact=True).apply(context, graph.module)
        expand = ExpandCompositesPass(exact=exact)
        expand.apply(context, graph.module)
        used = expand.used
    graph.module.verify()
    return used


def results(graph: Graph, float64: bool) -> list[np.ndarray[Any, Any]]:
    return list(evaluate(graph.module, graph.inputs, graph.weights, float64=float64))


class Scalar:
    """A symbol that takes products of matrices for products of numbers."""

    def __init__(self, term: Any) -> None:
        self.term = term

    def __neg__(self) -> Scalar:
        return Scalar(-self.term)

    @staticmethod
    def _binary(name: str) -> Any:
        def apply(self: Scalar, other: Any) -> Scalar:
            right = other.term if isinstance(other, Scalar) else sympy.nsimplify(other)
            return Scalar(getattr(self.term, name)(right))

        return apply

    def max(self, other: Scalar) -> Scalar:
        """Half of the sum and of the distance: what symbols can be compared by."""
        return (self + other + self._distance(other)) / 2

    def min(self, other: Scalar) -> Scalar:
        return (self + other - self._distance(other)) / 2

    def _distance(self, other: Scalar) -> Scalar:
        return Scalar(sympy.Abs(sympy.expand(self.term - other.term)))

    __add__ = _binary("__add__")
    __sub__ = _binary("__sub__")
    __mul__ = _binary("__mul__")
    __matmul__ = _binary("__mul__")
    __truediv__ = _binary("__truediv__")


@pytest.mark.parametrize(("law", "proof"), [p for p in PAIRS if p[1].scalars], ids=name_of)
def test_holds_for_numbers(law: LawEntry, proof: Proof):
    symbols = [Scalar(s) for s in sympy.symbols(f"x:{len(proof.shapes)}", nonzero=True)]
    difference = proof.before(*symbols).term - proof.after(*symbols).term
    assert sympy.simplify(sympy.expand(difference)) == 0


@every_proof
@pytest.mark.parametrize("seed", range(3))
def test_holds_for_tensors(law: LawEntry, proof: Proof, seed: int):
    before = build(proof.before, proof.shapes, proof.constants, seed=seed)
    after = build(proof.after, proof.shapes, proof.constants, seed=seed)
    for a, b in zip(results(before, True), results(after, True), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def multiply_in_order(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A product whose sums are all added from first to last, whatever its shape."""
    return (a[..., :, :, None] * b[..., None, :, :]).cumsum(-2)[..., -1, :]


@every_proof
def test_is_used_and_keeps_results(law: LawEntry, proof: Proof, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(np, "matmul", multiply_in_order)
    graph = build(proof.before, proof.shapes, proof.constants)
    double, single = results(graph, True), results(graph, False)
    cost = cost_of_block(main_block(graph), Constants(main_block(graph)))
    used = run_stage(graph, law)
    assert {use.law for use in used} == {law.name}
    assert {use.changes_rounding for use in used} == {not law.exact}
    for a, b in zip(double, results(graph, True), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    if law.exact:
        for a, b in zip(single, results(graph, False), strict=True):
            np.testing.assert_array_equal(a, b)
    if law.stage is Stage.FUSE:
        block = main_block(graph)
        assert cost_of_block(block, Constants(block)) < cost


@every_proof
def test_exact_uses_only_exact_laws(law: LawEntry, proof: Proof):
    graph = build(proof.before, proof.shapes, proof.constants)
    used = {use.law for use in run_stage(graph, law, exact=True)}
    assert (law.name in used) == law.exact
    assert used <= {other.name for other in LAWS if other.exact}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_every_law_says_what_it_is(law: LawEntry):
    assert law.text.startswith("`")
    assert law.condition
    assert sum(other.name == law.name for other in LAWS) == 1


def test_every_law_is_documented():
    page = (Path(__file__).resolve().parents[3] / "docs" / "lp-fusion.md").read_text()
    assert [law.name for law in LAWS if f"| `{law.name}` |" not in page] == []


NUMBERS = (0.0, -0.0, 1.0, -3.5, 1e-45, 3e38, -3e38, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("extremum", [np.maximum, np.minimum])
def test_a_finite_term_leaves_an_extremum_as_it_is(extremum: Any):
    """For all pairs of special numbers, and for random ones whose sums round."""
    random = np.random.default_rng(0).normal(0, 1e6, 30).astype(np.float32)
    numbers = np.concatenate([np.array(NUMBERS, np.float32), random])
    x, y, c = np.meshgrid(numbers, numbers, numbers[np.isfinite(numbers)])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(extremum(x + c, y + c), extremum(x, y) + c)


def test_an_infinite_term_stays_in_an_extremum():
    """`max(-inf + inf, 0 + inf)` is NaN, `max(-inf, 0) + inf` is infinite."""
    graph = build(lambda x, y: (x + np.inf).max(y + np.inf), ((4, 8),) * 2)
    assert not apply_laws(main_block(graph))
    one, other = np.float32(-np.inf), np.float32(0)
    with np.errstate(all="ignore"):
        assert np.isnan(np.maximum(one + np.float32(np.inf), other + np.float32(np.inf)))
    assert np.isposinf(np.maximum(one, other) + np.float32(np.inf))


def test_a_term_that_an_input_gives_stays_in_an_extremum():
    graph = build(lambda x, y, c: (x + c).max(y + c), ((4, 8),) * 3)
    assert not apply_laws(main_block(graph))


def test_the_table_has_every_law_that_is_applied():
    listed = {law.name for law in LAWS if law.stage is Stage.FUSE and not law.on_request}
    applied = (*SUM_LAWS, *REDUCTION_LAWS, *LOCAL_LAWS, *BLOCK_LAWS, *NORMAL_FORM_LAWS)
    assert listed == {law.name for law in applied}


def test_simplification_knows_which_laws_round():
    rounding = {law.rewrite for law in LAWS if law.stage is Stage.SIMPLIFY and not law.exact}
    assert rounding == set(LAWS_THAT_ROUND)


def test_the_pass_reports_what_it_used():
    graph = build(lambda x, g, h: x * g + x * h, ((4, 8),) * 3)
    fusion = LPFusionPass()
    fusion.apply(Context(), graph.module)
    assert {(use.law, use.changes_rounding): n for use, n in fusion.used.items()} == {
        ("take-out-factor", True): 1
    }
