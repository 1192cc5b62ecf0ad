"""What a controller learns from, and how."""

from __future__ import annotations

from dataclasses import dataclass

from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import Goal, Values


@dataclass(frozen=True)
class Settings:
    """How the controller learns. All of it is part of a study: workers must agree."""

    seed: int = 0
    phase_one: int = 12
    """Candidates that decide the number of blocks; 0 learns everything at once."""
    updates: int = 8
    """Gradient steps after each candidate."""
    learning_rate: float = 0.02
    entropy: float = 0.1
    entropy_half_life: float = 40.0
    """Candidates after which the entropy term counts half."""
    baseline_decay: float = 0.9
    imagined: int = 8
    """Candidates imagined in each step for each of some preferences; 0 imagines none."""
    explore: bool = True
    """Whether half of the shortlist is drawn with all sizes equally likely."""
    shortlist: int = 64
    """Draws that the surrogates choose a proposal from; 1 takes the first."""
    neighbours: int = 64
    """Architectures like the best so far that the surrogates choose from besides."""


@dataclass(frozen=True)
class Experience:
    """A candidate that was tried: `values` has what became known of it."""

    number: int
    architecture: Architecture
    values: Values
    log_probs: tuple[float, ...] = ()
    """How likely its decisions were when the controller drew it; empty if it did not."""

    def finished(self, goal: Goal) -> bool:
        """Whether all objectives are known and within their budgets."""
        known = all(name in self.values for name in goal.names)
        return known and not goal.excess(self.values)
