"""The controller: a recurrent network that decides one size after the other.

It reads its last decision and gives the next a distribution. Sizes are
ordered, so logits are smooth functions of the size: a few cosines, weighted by
the network. What is learned of one size then holds for its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, Sizes

BLOCKS, HIDDEN, INTERMEDIATE = range(3)
_KINDS = 3
_WAVES = 6
_UNITS = 32

Decisions = tuple[int, ...]
"""Places in the lists of sizes: of blocks, hidden size, then an intermediate size a block."""


@dataclass(frozen=True)
class Decided:
    """What the controller drew, and how likely each decision was."""

    architecture: Architecture
    log_probs: tuple[float, ...]


@dataclass(frozen=True)
class Scored:
    """Log-probabilities and entropies of decisions: a row a candidate, a column a decision."""

    log_probs: Tensor
    entropies: Tensor
    mask: Tensor
    """1 where a candidate has the decision, else 0."""


class Controller(nn.Module):
    """The distribution of architectures, given how much each objective is wanted.

    `preferences` is the number of objectives that candidates are asked for in
    changing proportions; 0 where there is one reward.
    """

    def __init__(self, space: SearchSpace, preferences: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.space, self.preferences = space, preferences
        self._sizes: tuple[Sizes, ...] = (space.blocks, space.hidden, space.intermediate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.cell = nn.LSTMCell(_WAVES + _KINDS + 2 + preferences, _UNITS)
            self.heads = nn.ModuleList(nn.Linear(_UNITS, _WAVES) for _ in range(_KINDS))
        for head in self.heads:
            assert isinstance(head, nn.Linear)
            # All sizes are equally likely at first.
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self._waves = [_waves(len(sizes.values)) for sizes in self._sizes]

    @property
    def steps(self) -> int:
        """Decisions of the deepest architecture."""
        return 2 + self.space.blocks.high

    def decisions_of(self, architecture: Architecture) -> Decisions:
        """The decisions that lead to an architecture of the space."""
        wanted = (
            architecture.num_blocks,
            architecture.hidden_size,
            *architecture.intermediate_sizes,
        )
        kinds = map(self._kind, range(len(wanted)))
        return tuple(
            self._sizes[kind].values.index(size) for kind, size in zip(kinds, wanted, strict=True)
        )

    def architecture_of(self, decisions: Decisions) -> Architecture:
        """The architecture that decisions lead to."""
        sizes = [self._sizes[self._kind(at)].values[place] for at, place in enumerate(decisions)]
        return Architecture(sizes[1], self.space.heads(sizes[1]), tuple(sizes[2:]))

    @torch.no_grad()
    def draw(
        self, count: int, generator: torch.Generator, weights: Tensor, blocks: Tensor | None = None
    ) -> list[Decided]:
        """Draw `count` architectures; `weights` has a row of preferences for each.

        `blocks`, if given, has rows that replace the distribution of the number of blocks.
        """
        drawn, log_probs = self._draw(count, generator, weights, blocks)
        found: list[Decided] = []
        for places, likely in zip(drawn.tolist(), log_probs.tolist(), strict=True):
            steps = 2 + self.space.blocks.values[places[BLOCKS]]
            architecture = self.architecture_of(tuple(places[:steps]))
            found.append(Decided(architecture, tuple(likely[:steps])))
        return found

    @torch.no_grad()
    def draw_many(
        self, count: int, generator: torch.Generator, weights: Tensor, blocks: Tensor | None
    ) -> Tensor:
        """Decisions of `count` architectures, a row each; columns past the last block mean nothing.

        `weights` has a row of preferences for each; so has `blocks`, if it is given.
        """
        return self._draw(count, generator, weights, blocks)[0]

    def _draw(
        self,
        count: int,
        generator: torch.Generator,
        weights: Tensor,
        blocks: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        drawn = torch.zeros((count, self.steps), dtype=torch.int64)
        log_probs = torch.zeros((count, self.steps))
        state, last = None, torch.zeros((count, _WAVES))
        depth = torch.zeros((count, 1))
        for at in range(self.steps):
            logits, state = self._step(at, last, depth, weights, state)
            if at == BLOCKS and blocks is not None:
                logits = blocks.clamp_min(1e-12).log()
            likely = logits.log_softmax(-1)
            drawn[:, at] = torch.multinomial(likely.exp(), 1, generator=generator)[:, 0]
            log_probs[:, at] = likely.gather(1, drawn[:, at : at + 1])[:, 0]
            last, depth = self._read(at, drawn[:, at], depth)
        return drawn, log_probs

    def score(self, decisions: Tensor, weights: Tensor) -> Scored:
        """How likely the rows of decisions are under preferences, a row of them each."""
        count = len(decisions)
        blocks = torch.tensor(list(self.space.blocks.values))[decisions[:, BLOCKS]]
        columns = torch.arange(self.steps)
        mask = (columns[None, :] < (2 + blocks)[:, None]).float()
        state, last = None, torch.zeros((count, _WAVES))
        depth = torch.zeros((count, 1))
        log_probs: list[Tensor] = []
        entropies: list[Tensor] = []
        for at in range(self.steps):
            logits, state = self._step(at, last, depth, weights, state)
            likely = logits.log_softmax(-1)
            log_probs.append(likely.gather(1, decisions[:, at : at + 1])[:, 0])
            entropies.append(-(likely.exp() * likely).sum(-1))
            last, depth = self._read(at, decisions[:, at], depth)
        return Scored(torch.stack(log_probs, 1) * mask, torch.stack(entropies, 1) * mask, mask)

    @torch.no_grad()
    def beliefs(self, weights: Tensor) -> dict[str, list[float]]:
        """The distribution of each decision, averaged over preferences and earlier decisions."""
        generator = torch.Generator().manual_seed(0)
        drawn = self.draw_many(len(weights), generator, weights, None)
        state, last = None, torch.zeros((len(weights), _WAVES))
        depth = torch.zeros((len(weights), 1))
        names = ["num_blocks", "hidden_size"]
        names += [f"intermediate_size_{block}" for block in range(self.space.blocks.high)]
        found: dict[str, list[float]] = {}
        for at, name in enumerate(names):
            logits, state = self._step(at, last, depth, weights, state)
            found[name] = logits.softmax(-1).mean(0).tolist()
            last, depth = self._read(at, drawn[:, at], depth)
        return found

    def block_probabilities(self, weights: Tensor) -> Tensor:
        """The distribution of the number of blocks, a row for each row of preferences."""
        count = len(weights)
        start = torch.zeros((count, _WAVES)), torch.zeros((count, 1))
        logits, _ = self._step(BLOCKS, *start, weights, None)
        return logits.softmax(-1)

    def _step(
        self,
        at: int,
        last: Tensor,
        depth: Tensor,
        weights: Tensor,
        state: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits of decision `at` and the state after it."""
        kind = self._kind(at)
        which = torch.zeros((len(last), _KINDS + 1))
        which[:, kind] = 1.0
        which[:, _KINDS] = at / self.steps
        hidden, cell = self.cell(torch.cat([last, which, depth, weights], 1), state)
        return self.heads[kind](hidden) @ self._waves[kind].T, (hidden, cell)

    def _read(self, at: int, places: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """What the next step is told of a decision."""
        if at == BLOCKS:
            depth = (places[:, None] + 1) / len(self.space.blocks.values)
        return self._waves[self._kind(at)][places], depth

    @staticmethod
    def _kind(at: int) -> int:
        return min(at, INTERMEDIATE)


def _waves(count: int) -> Tensor:
    """Cosines over `count` places, slow ones first and largest: shape (count, waves)."""
    at = (torch.arange(count) + 0.5) / count
    number = torch.arange(1, _WAVES + 1)
    waves = torch.cos(torch.pi * at[:, None] * number[None, :]) / number**0.5
    # More waves than places would say the same thing twice.
    return waves * (number < max(count, 2))
