"""The models of the applications as PyTorch runs them, uncompiled, to be timed beside canao."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from canao.decoding.stream import Logits
from canao.errors import CanaoError
from canao.frontend.module import inference_model

_turn = threading.Lock()
_ONE_LOGIT = "logits_to_keep"


@contextmanager
def torch_threads(threads: int | None) -> Generator[None]:
    """PyTorch for inference with a number of threads, its own if None; callers take turns.

    The number is one for the whole process, so it is put back.
    """
    with _turn, torch.inference_mode():
        before = torch.get_num_threads()
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class TorchSteps:
    """A text of a causal model of transformers, as `Stream` is one of a compiled decoder."""

    def __init__(self, model: Any, threads: int | None, longest: int) -> None:
        self._model = inference_model(model)
        self._threads, self._longest = threads, longest
        self._cache: Any = None
        self._seen = 0
        # As `generate` of transformers asks for: logits of the last token alone.
        taken = inspect.signature(model.forward).parameters
        self._options: dict[str, Any] = {_ONE_LOGIT: 1} if _ONE_LOGIT in taken else {}

    def feed(self, tokens: list[int]) -> Logits:
        """The logits, of shape (vocabulary,), after some more tokens; at least one."""
        self._seen += len(tokens)
        if self._seen > self._longest:
            raise CanaoError(
                f"{self._seen} tokens are more than the {self._longest} of a text; give a shorter "
                "one, or a larger max_length"
            )
        with torch_threads(self._threads):
            ids = torch.tensor([tokens])
            found = self._model(
                input_ids=ids, past_key_values=self._cache, use_cache=True, **self._options
            )
            self._cache = found.past_key_values
            return np.array(found.logits[0, -1], np.float32)
