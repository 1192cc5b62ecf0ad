"""Wrong calls get messages that say which input, what was expected and what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from canao.errors import InputFileError, ShapeMismatchError, UnsupportedModelError
from canao.frontend.convention import (
    Argument,
    CallConvention,
    FixedInput,
    InputTensor,
    Result,
)
from canao.frontend.structure import LEAF, Structure, structure_of

_PAIR = Structure("tuple", (), (LEAF, LEAF))
_CONVENTION = CallConvention(
    ("ids", "mask", "flag", "pair"),
    (
        Argument("ids", LEAF),
        Argument("mask", LEAF),
        Argument("flag", LEAF),
        Argument("pair", _PAIR),
    ),
    (
        InputTensor("ids", (2, 3), "int64"),
        InputTensor("mask", (2, 3), "int32"),
        FixedInput("flag", True),
        InputTensor("pair.0", (1,), "float32"),
        InputTensor("pair.1", (1,), "float32"),
    ),
    LEAF,
    (Result("computed", 0, "int32"),),
)


def _call(**changes: Any) -> dict[str, Any]:
    call = {
        "ids": torch.zeros(2, 3, dtype=torch.int64),
        "mask": torch.ones(2, 3, dtype=torch.int32),
        "flag": True,
        "pair": (torch.ones(1), torch.ones(1)),
        **changes,
    }
    return {name: value for name, value in call.items() if value is not ...}


def test_flatten_by_position_and_by_name() -> None:
    call = _call()
    by_name = _CONVENTION.flatten((), call)
    by_position = _CONVENTION.flatten(list(call.values()), {})
    mixed = _CONVENTION.flatten(
        [call["ids"]], {"pair": call["pair"], "flag": True, "mask": call["mask"]}
    )
    for arrays in (by_name, by_position, mixed):
        assert [a.dtype.name for a in arrays] == ["int64", "int64", "float32", "float32"]
    assert np.shares_memory(by_name[0], call["ids"].numpy())


def test_strided_tensors_and_arrays() -> None:
    strided = torch.arange(6).reshape(3, 2).t()
    ids, *_ = _CONVENTION.flatten((), _call(ids=strided))
    assert ids.flags.c_contiguous
    assert (ids == strided.numpy()).all()
    ids, *_ = _CONVENTION.flatten((), _call(ids=np.ones((2, 3), np.int64)))
    assert (ids == 1).all()


def test_fixed_inputs_and_none_may_be_left_out() -> None:
    assert len(_CONVENTION.flatten((), _call(flag=..., other=None))) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": torch.zeros(2, 4, dtype=torch.int64)}, r"'ids' .* \(2, 3\), got \(2, 4\); call"),
        ({"ids": torch.zeros(2, 3)}, r"'ids' .*dtype int64, got float32; .*to\(torch.int64\)"),
        ({"ids": [1, 2]}, r"'ids' must be a tensor .* got a builtins.list"),
        ({"ids": None}, r"'ids' must be a tensor .* got None"),
        ({"ids": torch.zeros(2, 3, device="meta")}, r"'ids' is on meta, .*no values; .*CPU"),
        ({"ids": torch.zeros(2, 3).to_sparse()}, r"'ids' is not dense .* sparse_coo; .*to_dense"),
        ({"ids": torch.zeros(2, 3).to_mkldnn()}, r"'ids' is not dense .* _mkldnn; .*to_dense"),
        ({"mask": ...}, r"'mask' is missing: expected 4 inputs .* got 3"),
        ({"other": torch.ones(1)}, r"'other' is not one .*\(ids, mask, flag, pair\); leave"),
        ({"flag": False}, r"'flag' was True when .* got False: pass True"),
        ({"flag": 1}, r"'flag' was True when .* got 1"),
        ({"pair": (torch.ones(1),)}, r"'pair' must be a tuple of 2 values, got tuple"),
        ({"pair": (torch.ones(1), torch.ones(2))}, r"'pair.1' must have shape \(1,\)"),
    ],
)
def test_wrong_calls(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeMismatchError, match=message):
        _CONVENTION.flatten((), _call(**changes))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors() -> None:
    nested = torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)], dtype=torch.int64)
    with pytest.raises(ShapeMismatchError, match="'ids' is a nested tensor; pad it"):
        _CONVENTION.flatten((), _call(ids=nested))


def test_tensors_without_values() -> None:
    def call(ids: torch.Tensor) -> torch.Tensor:
        _CONVENTION.flatten((), _call(ids=ids))
        return ids

    ids = torch.zeros(2, 3, dtype=torch.int64)
    message = "'ids' has no values that can be read, as under vmap, .*; call"
    with pytest.raises(ShapeMismatchError, match=message):
        torch.vmap(call)(ids.expand(4, 2, 3))
    with pytest.raises(ShapeMismatchError, match=message):
        call(FakeTensorMode().from_tensor(ids))


@pytest.mark.parametrize("number", [0.0, -0.0, math.nan])
@pytest.mark.parametrize("called", [0.0, -0.0, math.nan])
def test_fixed_numbers_are_the_same_to_the_sign_of_zero(number: float, called: float) -> None:
    convention = CallConvention(
        ("scale",), (Argument("scale", LEAF),), (FixedInput("scale", number),), LEAF, (), ()
    )
    if str(number) == str(called):
        assert convention.flatten((called,), {}) == []
        return
    with pytest.raises(ShapeMismatchError, match=f"was {number} when .* got {called}: pass"):
        convention.flatten((called,), {})


def test_too_many_inputs() -> None:
    with pytest.raises(ShapeMismatchError, match="at most 4 inputs, got 5 by position"):
        _CONVENTION.flatten([torch.ones(1)] * 5, {})


def test_an_input_given_twice() -> None:
    with pytest.raises(ShapeMismatchError, match="'ids' was given twice"):
        _CONVENTION.flatten([torch.ones(1)], _call())


def test_json_round_trip() -> None:
    written = json.dumps(_CONVENTION.to_json())
    assert CallConvention.from_json(json.loads(written)) == _CONVENTION


def test_results_get_the_dtype_of_the_model() -> None:
    found = _CONVENTION.rebuild([np.array([1, 2])])
    assert found.dtype == torch.int32


@pytest.fixture
def every_warning() -> Iterator[None]:
    """PyTorch says some warnings once a process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.usefixtures("every_warning")
@pytest.mark.filterwarnings("error")
def test_results_can_be_written_to() -> None:
    """Also where the array is a view that must not be, such as one number in many places."""
    one, own = np.ones(1, np.int32), np.zeros(3, np.int32)
    result = _CONVENTION.rebuild([np.broadcast_to(one, (3,))])
    result[0] = 7
    assert result.tolist() == [7, 1, 1]
    assert one.tolist() == [1]
    _CONVENTION.rebuild([own])[1] = 5
    assert own.tolist() == [0, 5, 0]


def test_foreign_output_types_are_not_imported() -> None:
    structure = Structure("output", ("x",), (LEAF,), "os:environ")
    assert structure.rebuild(iter([1])) == {"x": 1}


def test_only_outputs_are_taken_from_transformers() -> None:
    structure = Structure("output", ("x",), (LEAF,), "transformers.models.bert:BertModel")
    with pytest.raises(InputFileError, match="no output type"):
        structure.rebuild(iter([1]))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(InputFileError, match="unknown kind of value 'set'"):
        Structure.from_json({"kind": "set", "keys": [], "children": [], "output": ""})


def test_other_containers_are_refused() -> None:
    from torch.utils import _pytree

    class Box:
        pass

    _pytree.register_pytree_node(Box, lambda box: ([torch.ones(1)], None), lambda parts, _: Box())
    with pytest.raises(UnsupportedModelError, match=r"the output contains a .*Box; use tensors"):
        structure_of(_pytree.tree_structure(Box()), "the output")
