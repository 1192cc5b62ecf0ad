"""What a model says to examples: outputs in PyTorch, batches of about equal lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from canao.nas.models.kept_blocks import without_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from canao.nas.training.data.encode import Rows
    from canao.nas.training.kinds.kind import Kind, Output

_BATCH = 32


def predict(
    model: Any,
    kind: Kind,
    data: Rows,
    collate: Any,
    progress: Callable[[int], None] | None = None,
) -> list[Output]:
    """The outputs for every row, in the order of the rows."""
    device = next(model.parameters()).device
    model.eval()
    lengths = data.lengths
    order = sorted(range(len(data)), key=lambda n: lengths[n])
    found: dict[int, Output] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            batch = without_labels(collate([data[n] for n in numbers]).to(device))
            outputs = kind.outputs(model(**batch), [lengths[n] for n in numbers])
            found |= dict(zip(numbers, outputs, strict=True))
            if progress:
                progress(len(found))
    return [found[n] for n in range(len(data))]
