"""What a search found: a value that the search fills and the report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna

from canao.nas.study.attributes import Candidate


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    best: Candidate | None
    """The candidate with the highest reward within the budgets; None if there is none.

    Does no candidate keep its budget when it is measured again, it is the one that comes nearest,
    and a fact says so (`canao.nas.report.facts`).
    """
    pareto: tuple[Candidate, ...]
    """Candidates within the budgets that no other dominates, fastest first."""
    study: optuna.Study
    directory: Path
    """Where the report and the best model are."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the evaluator tells of the best after its last training, and of its teacher."""

    def with_fact(self, name: str, words: str) -> SearchResult:
        """With one more fact, if there are words for it."""
        return replace(self, facts={**self.facts, name: words}) if words else self
