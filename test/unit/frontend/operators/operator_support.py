"""Tables of operators: functions and arguments, and how a group of them is compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from unit.frontend.operators.oracle import check_equal, run

from canao.frontend.torch_import import import_model

Arguments = tuple[Tensor, ...]


@dataclass(frozen=True)
class Case:
    """A function and tensors to call it with."""

    name: str
    function: Callable[..., Any]
    arguments: Arguments


def normal(*shape: int) -> Tensor:
    """Normally distributed numbers, the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def positive(*shape: int) -> Tensor:
    """Numbers between 0.5 and 2."""
    return 0.5 + 1.5 * torch.rand(*shape, generator=torch.Generator().manual_seed(7))


def integers(*shape: int, low: int = -5, high: int = 6) -> Tensor:
    """Integers in a range."""
    generator = torch.Generator().manual_seed(11)
    return torch.randint(low, high, shape, generator=generator)


def truths(*shape: int) -> Tensor:
    """Booleans."""
    return integers(*shape) > 0


class Group(nn.Module):
    """All functions of a group: one export is quicker than many."""

    def __init__(self, cases: list[Case]) -> None:
        super().__init__()
        self.cases = cases

    def forward(self, arguments: dict[str, Arguments]) -> dict[str, Any]:
        return {case.name: case.function(*arguments[case.name]) for case in self.cases}


def check_group(cases: list[Case], decomposed: bool) -> None:
    """The interpreter's results are PyTorch's, from a high-level or a decomposed graph."""
    model: nn.Module | ExportedProgram = Group(cases)
    arguments = ({case.name: case.arguments for case in cases},)
    if decomposed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.export.export(Group(cases), arguments, strict=False)
            model = model.run_decompositions()
    found = run(import_model(model, arguments), *arguments)
    assert list(found) == [case.name for case in cases]
    for case in cases:
        check_equal(found[case.name], case.function(*case.arguments), case.name)
