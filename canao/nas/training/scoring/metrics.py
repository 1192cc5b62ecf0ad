"""The official metrics of GLUE, by scikit-learn and SciPy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from canao.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

TITLES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "f1": "F1",
    "exact": "exact match",
    "matthews": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
}
"""Names of the metrics; all lie between -1 or 0 and 1."""


def score(metrics: Sequence[str], logits: Numbers, labels: Sequence[float]) -> dict[str, float]:
    """The metrics of a model's outputs on examples with those labels.

    `logits` has a row an example: a column a class, or one column for a score.
    The predicted class is that of the largest logit.
    """
    return score_predicted(metrics, predicted(logits).tolist(), labels)


def predicted(logits: Numbers) -> Numbers:
    """Scores, or the numbers of the classes with the largest logits."""
    return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(axis=1).astype(np.float64)


def score_predicted(
    metrics: Sequence[str], answers: Sequence[float], labels: Sequence[float]
) -> dict[str, float]:
    """The metrics of classes or scores that were predicted for examples with those labels.

    A correlation with predictions that are all equal is 0, as GLUE counts it.
    """
    truth, found = np.asarray(labels, np.float64), np.asarray(answers, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: _finite(_METRICS[name](truth, found)) for name in metrics}


def _finite(value: Any) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _sklearn() -> Any:
    try:
        import sklearn.metrics
    except ImportError as error:
        raise MissingExtraError("the metrics of GLUE", "nas") from error
    return sklearn.metrics


def _scipy() -> Any:
    try:
        import scipy.stats
    except ImportError as error:
        raise MissingExtraError("the metrics of GLUE", "nas") from error
    return scipy.stats


_METRICS: Mapping[str, Callable[[Numbers, Numbers], Any]] = {
    "accuracy": lambda truth, found: _sklearn().accuracy_score(truth, found),
    "f1": lambda truth, found: _sklearn().f1_score(truth, found),
    "matthews": lambda truth, found: _sklearn().matthews_corrcoef(truth, found),
    "pearson": lambda truth, found: _scipy().pearsonr(truth, found)[0],
    "spearman": lambda truth, found: _scipy().spearmanr(truth, found)[0],
}
