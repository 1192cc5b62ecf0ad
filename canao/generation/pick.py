"""Which token comes next: the likeliest, or one drawn as transformers draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from canao.decoding.stream import Logits
from canao.errors import CanaoError


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; the names and defaults are those of transformers."""

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        wrong = {
            "temperature": not self.temperature > 0,
            "top_k": self.top_k < 0,
            "top_p": not 0 < self.top_p <= 1,
            "repetition_penalty": not self.repetition_penalty > 0,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise CanaoError(
                    f"{name}={getattr(self, name)} is out of range; temperature and "
                    "repetition_penalty are above 0, top_p in 0 to 1, top_k 0 or more"
                )

    def picker(self) -> Callable[[list[int], Logits], int]:
        """Picks a token after those seen so far by its logits."""
        processors = self._processors()
        generator = torch.Generator()
        if self.seed is None:
            generator.seed()
        else:
            generator.manual_seed(self.seed)

        def pick(seen: list[int], logits: Logits) -> int:
            ids: Any = torch.tensor([seen])
            scores: Any = processors(ids, torch.from_numpy(logits)[None])
            if not self.do_sample:
                return int(scores.argmax())
            chances = torch.softmax(scores, dim=-1)
            return int(torch.multinomial(chances, 1, generator=generator))

        return pick

    def _processors(self) -> LogitsProcessorList:
        """In the order that transformers has."""
        chosen = LogitsProcessorList()
        if self.repetition_penalty != 1:
            chosen.append(RepetitionPenaltyLogitsProcessor(self.repetition_penalty))
        if not self.do_sample:
            return chosen
        if self.temperature != 1:
            chosen.append(TemperatureLogitsWarper(self.temperature))
        if self.top_k:
            chosen.append(TopKLogitsWarper(self.top_k))
        if self.top_p < 1:
            chosen.append(TopPLogitsWarper(self.top_p))
        return chosen
