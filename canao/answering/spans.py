"""Which span of a text answers a question, by the logits of where it begins and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canao.answering.characters import whole_characters
from canao.answering.windows import Windows
from canao.errors import CanaoError, ExecutionError

Logits = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """A span of characters, `context[start:end]`, and how likely it is the answer."""

    start: int
    end: int
    score: float
    """Its probability, in 0 to 1."""
    logit: float
    """The logit of its start plus that of its end: what spans are ranked by."""


@dataclass(frozen=True)
class Choice:
    """The likeliest spans of a text, best first, and whether there is no answer."""

    spans: tuple[Span, ...]
    """No two have the same place."""
    null_score: float | None
    """The probability of no answer; None where that was not allowed."""
    null_margin: float | None
    """The logit of no answer less that of the best span: SQuAD 2 has a threshold for it."""
    answered: bool
    """Whether the best span counts: the margin is not above the threshold."""

    @property
    def best(self) -> Span | None:
        """The answer; None where there is none."""
        return self.spans[0] if self.answered and self.spans else None


def choose_spans(
    windows: Windows,
    starts: Sequence[Logits] | Logits,
    ends: Sequence[Logits] | Logits,
    *,
    top: int = 5,
    longest: int = 30,
    no_answer: bool = True,
    threshold: float = 0.0,
) -> Choice:
    """The `top` best spans of at most `longest` tokens over all windows.

    `starts` and `ends` have a row for each window, at least as long as the window; what is beyond
    it is padding. A span lies in the text, in one window; one that several windows have counts
    once, with its best logit. Scores are a softmax over all such spans, together with no answer
    where `no_answer` allows it, whose logit is the lowest of the windows, as in the script of
    SQuAD 2. There is no answer where its logit is more than `threshold` above the best span's.
    """
    if top < 1 or longest < 1:
        raise CanaoError(f"top={top} spans of {longest} tokens are none; give 1 or more of each")
    table = _table(windows, starts, ends, longest)
    null = _null_logit(windows, starts, ends) if no_answer else None
    weight = _log_sum(table, null)
    if not np.isfinite(weight):
        raise ExecutionError(
            "the model's logits are no finite numbers; check its weights, or compile it with "
            "fusion='exact'"
        )
    best = _best_places(windows, table, top)
    spans = tuple(Span(*place, float(np.exp(logit - weight)), logit) for place, logit in best)
    if null is None:
        return Choice(spans, None, None, answered=bool(spans))
    margin = null - spans[0].logit if spans else float("inf")
    score = float(np.exp(null - weight))
    return Choice(spans, score, margin, answered=margin <= threshold)


def _table(
    windows: Windows, starts: Sequence[Logits] | Logits, ends: Sequence[Logits] | Logits, most: int
) -> Scores:
    """Logits of spans by their first token and by how many follow it; -inf for what is none.

    The best of the windows that have the span whole.
    """
    tokens, first = len(windows.offsets), windows.first
    most = min(most, int(windows.counts.max()))
    table = np.full((tokens, most), -np.inf)
    for number, (skipped, count) in enumerate(zip(windows.starts, windows.counts, strict=True)):
        begins = np.asarray(starts[number][first : first + count], np.float64)
        stops = np.full(count + most - 1, -np.inf)
        stops[:count] = ends[number][first : first + count]
        found = begins[:, None] + np.lib.stride_tricks.sliding_window_view(stops, most)
        part = table[skipped : skipped + count]
        np.maximum(part, found, out=part)
    return table


def _null_logit(
    windows: Windows, starts: Sequence[Logits] | Logits, ends: Sequence[Logits] | Logits
) -> float:
    places = enumerate(windows.nulls)
    return min(float(starts[number][at]) + float(ends[number][at]) for number, at in places)


def _log_sum(table: Scores, null: float | None) -> float:
    high = max(float(table.max()), -np.inf if null is None else null)
    if not np.isfinite(high):
        return high
    total = float(np.exp(table - high).sum()) + (0 if null is None else np.exp(null - high))
    return high + float(np.log(total))


def _best_places(windows: Windows, table: Scores, top: int) -> list[tuple[tuple[int, int], float]]:
    """Places in the text with their logits, best first.

    Tokens that are parts of one character have the same place, so more may have to be looked at
    than are wanted.
    """
    flat, looked = table.ravel(), 4 * top
    while True:
        found = _distinct(windows, table, _highest(flat, looked))
        if len(found) >= top or looked >= flat.size:
            return list(found.items())[:top]
        looked *= 8


def _highest(flat: Scores, most: int) -> npt.NDArray[np.intp]:
    """The places of the highest numbers, highest first; of equal ones the first comes first."""
    if most >= flat.size:
        return np.argsort(-flat, kind="stable")
    # Of those equal to the last one all are candidates, so that ties do not depend on `most`.
    least = np.partition(flat, flat.size - most)[flat.size - most]
    places = np.flatnonzero(flat >= least) if np.isfinite(least) else np.flatnonzero(flat > least)
    return places[np.argsort(-flat[places], kind="stable")]


def _distinct(
    windows: Windows, table: Scores, places: npt.NDArray[np.intp]
) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    firsts, more = np.divmod(places, table.shape[1])
    offsets, logits = windows.offsets, table[firsts, more]
    begins, stops = offsets[firsts, 0], offsets[np.minimum(firsts + more, len(offsets) - 1), 1]
    rows = zip(begins.tolist(), stops.tolist(), logits.tolist(), strict=True)
    for begin, stop, logit in rows:
        if logit == -np.inf:
            continue
        start, end = whole_characters(windows.context, begin, stop)
        if start < end:
            found.setdefault((start, end), logit)
    return found
