"""The interpreter means what PyTorch means: operation by operation, dtype by dtype."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operations.torch_forms import FORMS, NO_FUNCTIONS, Form, arguments
from unit.operations.torch_values import compare, operands

from canao.dialects.canao import Canao
from canao.dialects.canao.reduce import ReduceMaxOp, ReduceMinOp
from canao.interpreters.canao import evaluate_op

CASES = [(form, dtype) for form in FORMS for dtype in form.dtypes]
every_form = pytest.mark.parametrize(
    ("form", "dtype"), CASES, ids=lambda v: v.name if isinstance(v, Form) else v
)
SHAPES = st.tuples(st.sampled_from([0, 1, 2, 5]), st.sampled_from([0, 1, 3, 17]))


def check(form: Form, dtype: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def compare_one(data: st.DataObject) -> None:
        shape = data.draw(SHAPES)
        if 0 in shape and form.kind in (ReduceMaxOp, ReduceMinOp):
            return  # PyTorch has no largest number of none
        arrays = data.draw(operands(form, dtype, shape))
        op = form.make(*arguments([a.dtype.name for a in arrays], [a.shape for a in arrays]))
        op.verify()
        (found,) = evaluate_op(op, arrays)
        compare(form, arrays, found)

    compare_one()


@every_form
def test_operations(form: Form, dtype: str) -> None:
    check(form, dtype, 5)


@pytest.mark.slow
@every_form
def test_operations_at_length(form: Form, dtype: str) -> None:
    check(form, dtype, 400)


def test_every_operation_has_a_form() -> None:
    assert {form.kind for form in FORMS} == set(Canao.operations) - set(NO_FUNCTIONS)
