"""How far what one model says is from what another says."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def logits_loss(mine: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence from the teacher's classes; for scores the squared error.

    Multiplied by the square of the temperature, so that its gradients keep
    their size (Hinton et al. 2015).
    """
    mine, theirs = mine.float(), theirs.float()
    if mine.shape[-1] == 1:
        return functional.mse_loss(mine, theirs)
    divergence = functional.kl_div(
        functional.log_softmax(mine / temperature, dim=-1),
        functional.log_softmax(theirs / temperature, dim=-1),
        log_target=True,
        reduction="batchmean",
    )
    return divergence * temperature**2
