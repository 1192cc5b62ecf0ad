"""What a model says to examples: logits in PyTorch, batches of about equal lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from canao.nas.training.data.encode import Encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Logits = NDArray[np.float64]

_BATCH = 32


def predict(
    model: Any, data: Encoded, collate: Any, progress: Callable[[int], None] | None = None
) -> Logits:
    """The logits of every example, in the order of the examples."""
    device = next(model.parameters()).device
    model.eval()
    lengths = data.lengths
    order = sorted(range(len(data)), key=lambda n: lengths[n])
    rows: dict[int, Any] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            batch = collate([data[n] for n in numbers]).to(device)
            batch.pop("labels")
            logits = model(**batch).logits.float().cpu().numpy()
            rows |= dict(zip(numbers, logits, strict=True))
            if progress:
                progress(len(rows))
    return np.stack([rows[n] for n in range(len(data))]).astype(np.float64)
