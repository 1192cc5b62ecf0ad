"""Products whose operands pass through the memory of a group, in all shapes of groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.lowering.c_support import parse
from unit.lowering.opencl_support import DeviceBuild, model_of
from unit.lowering.test_long_products import numbers, product
from unit.lowering.test_whole_road import SLOW

from canao.interpreters.canao import evaluate
from canao.lowering.choose.choose_group import choose_group, local_bytes
from canao.lowering.choose.choose_schedule import choose_column_lanes
from canao.lowering.choose.group_shapes import Shape
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.pipeline import lower
from canao.lowering.schedules.schedule import Schedule
from canao.machine.opencl_device import DeviceModel
from canao.machine.processor import VectorUnit
from canao.program import Program

FLOAT4 = VectorUnit("float4", lanes_f32=4, registers=24, fma=True)


def device() -> DeviceModel:
    """A GPU of a few units with vectors of four."""
    model = model_of("gpu")
    assert model is not None
    return replace(model, unit=FLOAT4, units=4, most_items=256, local_bytes=49152)


def multiply(rows: int, terms: int, columns: int, shape: Shape) -> Program:
    """A product with a bias, with one shape of its groups; compared with the oracle."""
    model = device()

    def choose(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        base = choose_column_lanes(task.stages, task.weights, task.unit, task.threads)
        schedule = choose_group(task.stages, base, model, shape)
        assert local_bytes(task.stages, schedule) <= model.local_bytes
        return schedule, ()

    text = product(rows, terms, columns, norm=False)
    program = lower(parse(text), target_unit=FLOAT4, threads=2, device=model, chooser=choose)
    x, weights = (
        numbers(rows, terms, seed=1),
        {"w": numbers(terms, columns, seed=2), "b": numbers(columns, seed=3)},
    )
    (expected,) = evaluate(parse(text), [x], weights)
    (found,) = DeviceBuild(program).run([x], weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    return program


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((32, 128, 64), Shape(16, 64, (8, 8), 128, 4)),
        ((32, 64, 32), Shape(32, 32, (8, 8), 16, 8)),
        ((17, 33, 65), Shape(16, 64, (8, 8), 64, 4)),
        ((1, 257, 24), Shape(16, 16, (4, 4), 64, 8)),
        ((31, 96, 20), Shape(16, 32, (4, 8), 256, 16)),
        ((64, 40, 48), Shape(64, 16, (8, 4), 64, 0)),
        ((7, 5, 3), Shape(64, 64, (8, 8), 256, 8)),
    ],
    ids=["shares", "alone", "above", "one-row", "below", "in-place", "tiny"],
)
def test_shapes_of_groups(sizes: tuple[int, int, int], shape: Shape) -> None:
    """Terms that items share or not, sizes that tiles and blocks do not divide, single rows."""
    program = multiply(*sizes, shape)
    (kernel,) = program.kernels
    copies = "m0." in kernel.variant
    assert copies == (shape.terms > 0)
    assert ("__private float" in program.source) == copies


def test_sums_are_handed_over_in_rounds() -> None:
    """Sixteen items share each tile, whose sums need more room than the blocks of operands."""
    program = multiply(16, 64, 64, Shape(16, 64, (8, 8), 256, 4))
    assert "w0.16m0.64" in program.kernels[0].variant
    assert program.launches is not None
    (step,) = program.launches.steps
    assert step.local_bytes < 16 * 16 * 64 * 4
    assert program.source.count("barrier(") > 4


def test_what_is_private_needs_no_barrier() -> None:
    """One to fill local memory, two for each further block, one after the last."""
    program = multiply(32, 64, 32, Shape(32, 32, (8, 8), 16, 16))
    assert "w0" not in program.kernels[0].variant
    source = program.source
    assert source.count("get_local_id(0)") > source.count("barrier(")


_SIZES = st.sampled_from([1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(
    sizes=st.tuples(_SIZES, _SIZES, _SIZES),
    shape=st.builds(
        Shape,
        rows=st.sampled_from([16, 32, 64]),
        columns=st.sampled_from([16, 32, 64]),
        tile=st.sampled_from([(8, 8), (4, 8), (4, 4), (8, 4)]),
        items=st.sampled_from([16, 64, 256]),
        terms=st.sampled_from([0, 2, 4, 8, 16]),
    ),
)
def test_any_shape_of_groups(sizes: tuple[int, int, int], shape: Shape) -> None:
    multiply(*sizes, shape)
