"""Tokens one after another: each is picked by the logits of all before it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from canao.decoding.stream import Logits
from canao.generation.pick import Sampling

Feed = Callable[[list[int]], Logits]
"""Takes the tokens that are new to a text, gives logits of shape (vocabulary,) for the next."""


def next_tokens(
    feed: Feed, ids: list[int], most: int, sampling: Sampling, ends: frozenset[int], longest: int
) -> Generator[int]:
    """At most `most` tokens that follow `ids`, up to one of `ends` or `longest` tokens in all."""
    pick = sampling.picker()
    fresh, seen = ids, list(ids)
    for _ in range(most):
        token = pick(seen, feed(fresh))
        if token in ends:
            return
        yield token
        if len(seen) == longest:
            return
        fresh = [token]
        seen.append(token)


def end_tokens(settings: Any) -> frozenset[int]:
    """The tokens that end a text, by the `GenerationConfig` of a model."""
    ends = settings.eos_token_id
    return frozenset(ends if isinstance(ends, list) else () if ends is None else (ends,))
