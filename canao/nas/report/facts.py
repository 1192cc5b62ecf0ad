"""Facts about what a search found: those that say what it could not keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MISSED = "not kept: "
MISSED_SPEED, MISSED_STEPS, MISSED_TIME = (_MISSED + part for part in ("speed", "steps", "time"))
PREPARING, TRIALS, ENDING = "the preparation took", "the trials", "the ending"
"""The parts of a search, as words say what its time went on."""


def not_kept(facts: Mapping[str, Any]) -> list[str]:
    """What a search could not keep of what it was asked for, in words."""
    return [str(words) for name, words in facts.items() if name.startswith(_MISSED)]
