"""When outputs of two programs count as the same."""

from __future__ import annotations

from re import search

import numpy as np
import pytest

from canao.runtime.module import Array
from canao.tuning.agreement import disagreement

NAN, INF = float("nan"), float("inf")


def f32(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (f32(1.0, 2.0), f32(1.0001, 2.0)),
        (f32(1e-5, 100.0), f32(0.0, 100.0)),
        (f32(NAN, INF, -INF), f32(NAN, INF, -INF)),
        (np.array([True, False]), np.array([True, False])),
        (np.array([7, -1]), np.array([7, -1])),
        (f32(), f32()),
        (np.array(3.0), np.array(3.0)),
    ],
)
def test_rounding(mine: Array, other: Array) -> None:
    assert not disagreement([mine], [other])


@pytest.mark.parametrize(
    ("mine", "other", "said"),
    [
        (f32(1.0, 2.5), f32(1.0, 2.0), r"1 of 2 .* output 0 .* \[1\] is 2.5 .* be 2.0"),
        (f32(1.0, NAN).reshape(1, 2), f32(1.0, 2.0).reshape(1, 2), r"\[0, 1\] is nan .* be 2.0"),
        (f32(1.0), f32(INF), "should be inf"),
        (np.array([7, 8]), np.array([7, 9]), "is 8 and should be 9"),
        (np.array([0, 255], np.uint8).view(np.bool_), np.array([False, True]), "1 of 2"),
        (np.array(3.0), np.array(4.0), "1 of 1"),
    ],
)
def test_what_is_wrong_is_said(mine: Array, other: Array, said: str) -> None:
    assert search(said, disagreement([mine], [other]))
