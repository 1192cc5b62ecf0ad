"""The official metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from canao.nas.training.data.spec import GLUE, TABLE_2, find_spec
from canao.nas.training.scoring.metrics import score


def _classes(*predicted: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Logits whose largest is that of the class."""
    return np.eye(2)[list(predicted)] * 3.0 - 1.0


def test_classes() -> None:
    # Three true positives, one false positive, one false negative, one true negative.
    logits, labels = _classes(1, 1, 1, 1, 0, 0), (1, 1, 1, 0, 1, 0)
    found = score(("accuracy", "f1", "matthews"), logits, labels)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert found["matthews"] == pytest.approx((3 * 1 - 1 * 1) / math.sqrt(4 * 4 * 2 * 2))


def test_scores() -> None:
    logits = np.array([[1.0], [2.0], [4.0], [3.0]])
    found = score(("pearson", "spearman"), logits, (1.0, 2.0, 3.0, 9.0))
    assert found["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    x, y = logits[:, 0] - 2.5, np.array([1, 2, 3, 9]) - 3.75
    assert found["pearson"] == pytest.approx(float(x @ y / np.sqrt((x @ x) * (y @ y))))


@pytest.mark.parametrize("metric", ["matthews", "f1"])
def test_one_answer_to_everything(metric: str) -> None:
    assert score((metric,), _classes(0, 0, 0), (1, 0, 1)) == {metric: 0.0}


def test_one_score_for_everything() -> None:
    assert score(("spearman",), np.ones((3, 1)), (1, 2, 3)) == {"spearman": 0.0}


def test_every_task_has_its_metrics() -> None:
    official = {
        "mnli": {"accuracy"},
        "sst2": {"accuracy"},
        "mrpc": {"f1", "accuracy"},
        "stsb": {"pearson", "spearman"},
        "rte": {"accuracy"},
        "cola": {"matthews"},
    }
    assert {spec.name: set(spec.metrics) for spec in GLUE if spec.name in TABLE_2} == official


@pytest.mark.parametrize("name", ["SST-2", "sst2", "sst_2", "Sst-2"])
def test_names_of_tasks(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.name == "sst2"
