"""Runs imported models by the interpreter and compares with PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils._pytree import tree_leaves

from canao.frontend.imported import ImportedModel, mlir_context
from canao.interpreters.canao import evaluate
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass


def run(imported: ImportedModel, *arguments: Any, **named: Any) -> Any:
    """The result of an imported model, by the interpreter."""
    ConvertTorchToCanaoPass().apply(mlir_context(), imported.module)
    imported.module.verify()
    inputs = imported.convention.flatten(arguments, named)
    outputs = evaluate(imported.module, inputs, imported.weights)
    return imported.convention.rebuild(outputs, inputs)


def check_equal(found: Any, expected: Any, name: str = "") -> None:
    """Same dtypes and shapes, and numbers within rounding."""
    for got, want in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        assert got.dtype == want.dtype, name
        assert got.shape == want.shape, name
        np.testing.assert_allclose(got.numpy(), want.numpy(), 1e-5, 1e-5, err_msg=name)
