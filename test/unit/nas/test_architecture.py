"""Architectures: what they refuse, their keys, their way through JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canao.errors import CanaoError
from canao.nas.space.architecture import Architecture

sizes = st.integers(1, 4096)
architectures = st.builds(
    lambda heads, width, sizes: Architecture(heads * width, heads, tuple(sizes)),
    st.integers(1, 16),
    st.integers(1, 64),
    st.lists(sizes, min_size=1, max_size=12),
)


@given(architectures)
def test_json_keeps_everything(architecture: Architecture) -> None:
    assert Architecture.from_json(architecture.to_json()) == architecture


@given(architectures, architectures)
def test_keys_tell_architectures_apart(one: Architecture, other: Architecture) -> None:
    assert (one.key == other.key) == (one == other)
    assert "/" not in one.key
    assert Architecture.from_key(one.key) == one


@pytest.mark.parametrize(
    "text", ["", "h384", "h384-a12-f", "h384-a12-f8.", "../h8-a1-f8", "h8-a1-f8\n"]
)
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(CanaoError, match="names no architecture"):
        Architecture.from_key(text)


@pytest.mark.parametrize(
    ("hidden", "heads", "intermediates", "expected"),
    [
        (384, 12, (), "at least one block"),
        (384, 5, (1536,), "does not divide"),
        (0, 1, (8,), "whole numbers"),
        (8, 0, (8,), "whole numbers"),
        (8, 2, (8, -1), "whole numbers"),
        (8, 2, (8.0,), "whole numbers"),
        (True, 1, (8,), "whole numbers"),
    ],
)
def test_nonsense_is_refused(hidden: Any, heads: Any, intermediates: Any, expected: str) -> None:
    with pytest.raises(CanaoError, match=expected):
        Architecture(hidden, heads, intermediates)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"hidden_size": 8, "num_heads": 2}',
        '{"hidden_size": 8, "num_heads": 2, "intermediate_sizes": "8"}',
        '{"hidden_size": 8, "num_heads": 2, "intermediate_sizes": ["8"]}',
        '{"hidden_size": 8, "num_heads": 2, "intermediate_sizes": [8], "other": 1}',
    ],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(CanaoError):
        Architecture.from_json(text)
