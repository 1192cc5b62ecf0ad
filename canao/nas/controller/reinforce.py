"""Training the controller by policy gradient, in two phases.

REINFORCE with a moving baseline and an entropy term. Finished candidates are
few and dear, so each is used again at every step, weighted by how much
likelier it has become since it was drawn (truncated importance weights), and
under every preference: what a candidate is worth follows from its values. A
part of each step is imagined: candidates that the controller draws, judged by
surrogates of accuracy and latency fitted to the finished ones.

Phase one learns the number of blocks alone, for it affects accuracy most;
phase two keeps what was learned of it and learns the sizes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from canao.nas.controller.controller import BLOCKS, Controller, Decided
from canao.nas.controller.initial_designs import initial_design
from canao.nas.controller.mutation import mutations
from canao.nas.controller.replay import Experience, Settings
from canao.nas.controller.surrogate import Features, Surrogate, Vector, features
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import (
    ACCURACY,
    Goal,
    Matrix,
    Values,
    front,
    scalarise,
    volume_added,
)
from canao.nas.space.space import SearchSpace

_MOST_REPLAYED = 256
_FEWEST_TO_IMAGINE = 3
_TRUNCATED_AT = 2.0
_GROUPS = 8
"""Preferences that candidates are imagined for in each step."""
_SHARPEN = 0.5
"""In phase two, numbers of blocks at least so likely, compared with the likeliest, are drawn."""
_REDRAWS = 64
_PARENTS = 4


@dataclass(frozen=True)
class Proposal:
    """A candidate to try, with the preferences that it was drawn for."""

    decided: Decided
    weights: tuple[float, ...]


@dataclass
class _Lesson:
    """What a gradient step learns from: a row a candidate, under preferences."""

    decisions: Tensor
    weights: Tensor
    advantages: Tensor
    drawn: Tensor
    """Log-probability of each decision when it was drawn; NaN if it was drawn just now."""


@dataclass
class _ReplayBuffer:
    """Experiences as arrays, made once for all steps that use them."""

    experiences: list[Experience]
    decisions: Tensor
    drawn: Tensor
    finished: list[int]
    losses: Matrix
    excess: Vector
    surrogates: dict[str, Surrogate] = field(default_factory=dict[str, Surrogate])


class Reinforce:
    """Learns from experiences in the order of their numbers, and proposes candidates."""

    def __init__(self, space: SearchSpace, goal: Goal, settings: Settings) -> None:
        self.space, self.goal, self.settings = space, goal, settings
        self.preferences = len(goal.objectives) if goal.pareto else 0
        self.controller = Controller(space, self.preferences, settings.seed)
        self._unlearned = Controller(space, self.preferences, settings.seed)
        self.first: Controller | None = None
        """The controller at the end of phase one: it decides the number of blocks."""
        self.optimiser = self._new_optimiser()
        self.absorbed: list[int] = []

    def _new_optimiser(self) -> torch.optim.Adam:
        return torch.optim.Adam(self.controller.parameters(), lr=self.settings.learning_rate)

    def restore(
        self,
        controller: Mapping[str, Tensor],
        first: Mapping[str, Tensor] | None,
        moments: Mapping[int, Mapping[str, Tensor]],
    ) -> None:
        """Take over the weights of both controllers and the optimiser's moments."""
        self.controller.load_state_dict(controller)
        self.first = None
        if first:
            self.first = Controller(self.space, self.preferences, self.settings.seed)
            self.first.load_state_dict(first)
        self.optimiser = self._new_optimiser()
        groups = self.optimiser.state_dict()["param_groups"]
        states = {number: dict(state) for number, state in moments.items()}
        self.optimiser.load_state_dict({"state": states, "param_groups": groups})

    @property
    def phase(self) -> int:
        """1 while the number of blocks is learned, 2 afterwards, 0 where both are one."""
        if not self.settings.phase_one:
            return 0
        return 2 if self.first is not None else 1

    # ---------------------------------------------------------------- learning

    def learn(self, experiences: Sequence[Experience]) -> int:
        """Learn from those that are new; returns how many there were."""
        known = {e.number: e for e in experiences}
        new = [number for number in sorted(known) if number not in set(self.absorbed)]
        for number in new:
            self.absorbed.append(number)
            past = [known[n] for n in self.absorbed if n in known]
            self._learn(past[-_MOST_REPLAYED:])
            if self.phase == 1 and len(self.absorbed) >= self.settings.phase_one:
                self._end_phase_one()
        return len(new)

    def _end_phase_one(self) -> None:
        self.first = Controller(self.space, self.preferences, self.settings.seed)
        self.first.load_state_dict(self.controller.state_dict())
        self.optimiser = self._new_optimiser()

    def _learn(self, past: list[Experience]) -> None:
        replay = self._buffer(past)
        for number in range(self.settings.updates):
            generator = self._generator(len(self.absorbed), number + 1)
            lessons = [self._replayed(replay, self._weights(generator))]
            if self.settings.imagined and replay.surrogates:
                lessons += self._imagine(replay, generator, number + len(self.absorbed))
            self._update(lessons)

    def _buffer(self, past: list[Experience]) -> _ReplayBuffer:
        decisions = torch.zeros((len(past), self.controller.steps), dtype=torch.int64)
        drawn = torch.full((len(past), self.controller.steps), math.nan)
        for row, experience in enumerate(past):
            places = self.controller.decisions_of(experience.architecture)
            decisions[row, : len(places)] = torch.tensor(places)
            if experience.log_probs:
                drawn[row, : len(places)] = torch.tensor(experience.log_probs)
        finished = [row for row, e in enumerate(past) if e.finished(self.goal)]
        losses = self.goal.losses([past[row].values for row in finished])
        excess = np.array([self.goal.excess(e.values) for e in past])
        replay = _ReplayBuffer(past, decisions, drawn, finished, losses, excess)
        if self.settings.imagined and len(finished) >= _FEWEST_TO_IMAGINE:
            replay.surrogates = self._surrogates(past)
        return replay

    def _surrogates(self, past: Sequence[Experience]) -> dict[str, Surrogate]:
        found: dict[str, Surrogate] = {}
        rows = features([e.architecture for e in past], self.space)
        for number, name in enumerate(self.goal.names):
            known = [row for row, e in enumerate(past) if name in e.values]
            values = [past[row].values[name] for row in known]
            seed = self.settings.seed + number
            found[name] = Surrogate(rows[known], values, seed, cost=name != ACCURACY)
        return found

    def _replayed(self, replay: _ReplayBuffer, weights: Tensor) -> _Lesson:
        """Finished candidates again, with what they are worth under these preferences."""
        rewards = np.where(replay.excess > 0, -1.0 - np.minimum(replay.excess, 1.0), -1.0)
        if replay.finished:
            rewards[replay.finished] = self._rewards(replay, replay.losses, weights)
        ages = np.arange(len(rewards) - 1, -1, -1)
        baseline = float(np.average(rewards, weights=self.settings.baseline_decay**ages))
        asked = weights.expand(len(rewards), -1)
        return _Lesson(replay.decisions, asked, _scaled(rewards, baseline), replay.drawn)

    def _rewards(self, replay: _ReplayBuffer, losses: Matrix, weights: Tensor) -> Vector:
        """Rewards of losses, measured between the best and the worst that was seen."""
        if self.goal.pareto:
            low, high = replay.losses.min(0), replay.losses.max(0)
            scaled = (losses - low) / np.where(high > low, high - low, 1.0)
            return scalarise(scaled, weights.numpy())
        seen = self._single(replay.losses)
        best, worst = float(seen.max()), float(seen.min())
        return (self._single(losses) - best) / (best - worst if best > worst else 1.0)

    def _single(self, losses: Matrix) -> Vector:
        """The single reward of each row of losses."""
        signs = [1.0 if o.minimise else -1.0 for o in self.goal.objectives]
        rows = losses * np.array(signs)
        parts = [
            [o.part(float(value)) for o, value in zip(self.goal.objectives, row, strict=True)]
            for row in rows
        ]
        return np.array(parts).sum(axis=1)

    def _imagine(
        self, replay: _ReplayBuffer, generator: torch.Generator, draw: int
    ) -> list[_Lesson]:
        """Candidates drawn now, a group for each of some preferences, judged by one draw."""
        groups = torch.stack([self._weights(generator) for _ in range(_GROUPS)])
        size = self.settings.imagined
        asked = groups.repeat_interleave(size, dim=0)
        blocks = self.blocks(asked)
        decisions = self.controller.draw_many(len(asked), generator, asked, blocks)
        rows = features([self._architecture(row) for row in decisions.tolist()], self.space)
        lessons: list[_Lesson] = []
        for number, weights in enumerate(groups):
            part = slice(number * size, (number + 1) * size)
            rewards = self._predicted(replay, rows[part], weights, draw)
            advantages = _scaled(rewards, float(rewards.mean()))
            drawn = torch.full(decisions[part].shape, math.nan)
            lessons.append(_Lesson(decisions[part], asked[part], advantages, drawn))
        return lessons

    def _predicted(
        self,
        replay: _ReplayBuffer,
        rows: Features,
        weights: Tensor,
        draw: int,
    ) -> Vector:
        """The rewards of rows of features under one draw of the surrogates."""
        table = self._expected(replay, rows, draw)
        rewards = self._rewards(replay, self.goal.losses(table), weights)
        excess = np.array([self.goal.excess(row) for row in table])
        return np.where(excess > 0, -1.0 - np.minimum(excess, 1.0), rewards)

    @staticmethod
    def _expected(replay: _ReplayBuffer, rows: Features, draw: int) -> list[Values]:
        """The values under one draw of the surrogates."""
        values = {name: found.draw(rows, draw) for name, found in replay.surrogates.items()}
        return [{name: float(values[name][row]) for name in values} for row in range(len(rows))]

    def _architecture(self, row: list[int]) -> Architecture:
        count = 2 + self.space.blocks.values[row[BLOCKS]]
        return self.controller.architecture_of(tuple(row[:count]))

    def _update(self, lessons: Sequence[_Lesson]) -> None:
        decisions = torch.cat([lesson.decisions for lesson in lessons])
        weights = torch.cat([lesson.weights for lesson in lessons])
        scored = self.controller.score(decisions, weights)
        learned = scored.mask * self._learned_columns()
        log_probs = (scored.log_probs * learned).sum(1)
        drawn = torch.cat([lesson.drawn for lesson in lessons])
        drawn = torch.where(drawn.isnan(), scored.log_probs.detach(), drawn)
        ratio = (log_probs.detach() - (drawn * learned).sum(1)).exp().clamp_max(_TRUNCATED_AT)
        advantages = torch.cat([lesson.advantages for lesson in lessons])
        share = 0.5 ** (len(self.absorbed) / self.settings.entropy_half_life)
        entropy = (scored.entropies * learned).sum(1).mean()
        loss = -(ratio * advantages * log_probs).mean() - self.settings.entropy * share * entropy
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.controller.parameters(), 1.0)
        self.optimiser.step()

    def _learned_columns(self) -> Tensor:
        """1 for the decisions that this phase learns."""
        columns = torch.ones(self.controller.steps)
        if self.phase == 1:
            columns[BLOCKS + 1 :] = 0.0
        if self.phase == 2:
            columns[BLOCKS] = 0.0
        return columns

    # --------------------------------------------------------------- proposing

    def propose(
        self, index: int, avoid: Collection[str], experiences: Sequence[Experience]
    ) -> Proposal:
        """The candidate number `index`: none of `avoid` (keys), if others are likely at all.

        It is the best of a shortlist under functions drawn from the surrogates:
        others each time, so that what is uncertain is tried.
        The first ones are those of `initial_designs.py`.
        """
        latencies = [
            (e.architecture, e.values[self.goal.cost])
            for e in experiences
            if self.goal.cost in e.values
        ]
        first = initial_design(index, self.space, self.goal, latencies)
        if first is not None and first.key not in avoid:
            return Proposal(Decided(first, ()), ())
        generator = self._generator(index, 0)
        drawn: dict[str, Proposal] = {}
        for _ in range(_REDRAWS):
            proposals = self._draw(generator)
            new = [p for p in proposals if p.decided.architecture.key not in avoid]
            drawn |= {p.decided.architecture.key: p for p in new}
            if len(drawn) >= self.settings.shortlist:
                break
        replay = self._buffer(list(experiences)[-_MOST_REPLAYED:])
        near = [a for a in self._near(replay, index) if a.key not in avoid]
        drawn |= {a.key: Proposal(Decided(a, ()), ()) for a in near if a.key not in drawn}
        shortlist = list(drawn.values()) or self._draw(generator)[:1]
        if len(shortlist) == 1 or not replay.surrogates:
            return shortlist[0]
        return shortlist[int(self._merits(replay, shortlist, index).argmax())]

    def _near(self, replay: _ReplayBuffer, index: int) -> list[Architecture]:
        """Mutations of the front, or of the few with the best reward."""
        if not self.settings.neighbours or not replay.finished:
            return []
        if self.goal.pareto:
            best = front(replay.losses)
        else:
            best = np.argsort(-self._single(replay.losses), kind="stable")[:_PARENTS].tolist()
        parents = [replay.experiences[replay.finished[row]].architecture for row in best]
        chance = np.random.default_rng([self.settings.seed, index])
        return mutations(parents, self.space, self.settings.neighbours, chance)

    def _draw(self, generator: torch.Generator) -> list[Proposal]:
        """A draw for each of some preferences, and as many that only explore.

        Those that explore come from the controller as it was before it learned:
        all sizes are equally likely.
        """
        asked = torch.stack([self._weights(generator) for _ in range(_GROUPS)])
        decided = self.controller.draw(len(asked), generator, asked, self.blocks(asked))
        if self.settings.explore:
            decided += self._unlearned.draw(len(asked), generator, asked)
            asked = asked.repeat(2, 1)
        rows = asked.tolist()
        return [Proposal(d, tuple(row)) for d, row in zip(decided, rows, strict=True)]

    def _merits(self, replay: _ReplayBuffer, shortlist: Sequence[Proposal], draw: int) -> Vector:
        """What is expected of proposals: their reward, or what they add to the front."""
        rows = features([p.decided.architecture for p in shortlist], self.space)
        if not self.goal.pareto:
            return self._predicted(replay, rows, torch.zeros(0), draw)
        table = self._expected(replay, rows, draw)
        low, high = replay.losses.min(0), replay.losses.max(0)
        unit = np.where(high > low, high - low, 1.0)
        scaled = (self.goal.losses(table) - low) / unit
        added = volume_added((replay.losses - low) / unit, scaled, self.settings.seed + draw)
        excess = np.array([self.goal.excess(row) for row in table])
        # Where nothing is added, what is nearest to the ideal.
        return np.where(excess > 0, -1.0 - excess, added - 1e-3 * scaled.sum(axis=1))

    def blocks(self, asked: Tensor) -> Tensor | None:
        """The distribution of the number of blocks that phase one left; None before its end."""
        if self.first is None:
            return None
        with torch.no_grad():
            likely = self.first.block_probabilities(asked)
        kept = likely * (likely >= _SHARPEN * likely.max(-1, keepdim=True).values)
        return kept / kept.sum(-1, keepdim=True)

    def _weights(self, generator: torch.Generator) -> Tensor:
        """Preferences drawn evenly from all that sum to 1."""
        if not self.preferences:
            return torch.zeros(0)
        drawn = -torch.rand(self.preferences, generator=generator).clamp_min(1e-9).log()
        return drawn / drawn.sum()

    def _generator(self, *parts: int) -> torch.Generator:
        """A generator of random numbers for one purpose: the same in every process."""
        seed = np.random.SeedSequence([self.settings.seed, *parts]).generate_state(1)[0]
        return torch.Generator().manual_seed(int(seed))


def _scaled(rewards: Vector, baseline: float) -> Tensor:
    """Advantages over a baseline, in units of their spread."""
    return torch.tensor((rewards - baseline) / (rewards.std() + 1e-3), dtype=torch.float32)
