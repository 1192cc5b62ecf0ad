"""Every family of encoders against PyTorch, and the table that says what of it compiles."""

from __future__ import annotations

from copy import deepcopy
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.utils._pytree import tree_leaves, tree_map_only
from unit.families.calls import KINDS, Call, call_of
from unit.families.table import TABLES, with_table
from unit.families.zoo import FAMILIES, heads_of, make_model
from unit.frontend.operators.oracle import check_equal, run

import canao
from canao.errors import CanaoError, UnsupportedModelError, UnsupportedOpError
from canao.frontend.torch_import import import_model
from canao.huggingface.known_types import KNOWN_TYPES

_KNOWN = [name for name, family in FAMILIES.items() if not family.refused]
_SIZES = ((2, 7), (1, 1), (3, 18), (4, 40))
_SHAPES = canao.AutoShapes(batch=4, sequence=40)


def _result(model: Any, call: Call) -> Any:
    with torch.no_grad():
        return model(**call)


def _double(value: Any) -> Any:
    return tree_map_only(torch.Tensor, lambda t: t.double() if t.is_floating_point() else t, value)


def _check_close(found: Any, model: Any, call: Call) -> None:
    """Within 1e-4 of PyTorch, or no further from float64 than twice what PyTorch is."""
    wanted = _result(model, call)
    exact = tree_leaves(_result(deepcopy(model).double(), _double(call)))
    leaves = zip(tree_leaves(found), tree_leaves(wanted), exact, strict=True)
    for ours, theirs, double in leaves:
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        if (ours - theirs).abs().max() > 1e-4:
            assert (ours - double).abs().max() <= 2 * (theirs - double).abs().max()


def _check_compiled(
    name: str, head: str, attention: str, kind: str, shapes: Any, target: str = "c"
) -> None:
    model = make_model(name, head, attention)
    call = call_of(kind, model, head, 2, 7)
    fixed = {key: value for key, value in call.items() if not isinstance(value, torch.Tensor)}
    for key, value in fixed.items():
        setattr(model.config, key, value)
    tensors = {key: value for key, value in call.items() if key not in fixed}
    compiled = canao.compile(
        model, tensors, tune="off", threads=1, target=target, dynamic_shapes=shapes
    )
    assert compiled.report.fallbacks == 0
    for batch, length in _SIZES if shapes else _SIZES[:1]:
        given = call_of(kind, model, head, batch, length)
        given = {key: value for key, value in given.items() if key not in fixed}
        _check_close(compiled(**given), model, given)
    compiled.close()


def _refused_kind(name: str, kind: str) -> bool:
    """Whether the model itself does not take such a call."""
    try:
        model = make_model(name)
        _result(model, call_of(kind, model, "base", 2, 7))
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
        return True
    return False


# ------------------------------------------------------------------ the table


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_table_is_the_one_that_the_data_makes(page: Path) -> None:
    command = "run: PYTHONPATH=.:test python -m unit.families.table"
    assert page.read_text(encoding="utf-8") == with_table(page), command


def test_messages_name_the_families_of_the_table() -> None:
    assert sorted(KNOWN_TYPES) == sorted(_KNOWN)


@pytest.mark.parametrize("name", FAMILIES)
def test_attention_is_what_transformers_has(name: str) -> None:
    assert FAMILIES[name].make_config().model_type == name
    for attention in ("eager", "sdpa"):
        if attention in FAMILIES[name].attention:
            make_model(name, attention=attention)
        else:
            with pytest.raises(ValueError, match="does not support"):
                make_model(name, attention=attention)


# ----------------------------------------------------------- a cell or two each

_MIXED = [
    (name, heads_of(name)[number % len(heads_of(name))], FAMILIES[name].attention[-1 + number % 2])
    for number, name in enumerate(_KNOWN)
]
_TURNS = list(zip(_MIXED, cycle(("mask", "left padding", "no mask")), strict=False))


@pytest.mark.parametrize(
    ("name", "head", "attention", "kind"), [(*cell, kind) for cell, kind in _TURNS]
)
def test_imported(name: str, head: str, attention: str, kind: str) -> None:
    """By the interpreter, with heads, attention and masks in turn."""
    model = make_model(name, head, attention)
    call = call_of(kind, model, head, 2, 7)
    found = run(import_model(model, call), **call)
    wanted = _result(model, call)
    assert type(found) is type(wanted)
    assert list(found) == list(wanted)
    check_equal(found, wanted)


@pytest.mark.parametrize(
    ("name", "head", "attention", "kind"),
    [
        ("deberta-v2", "sequence", "eager", "mask"),
        ("modernbert", "token", "sdpa", "left padding"),
    ],
)
def test_compiled_for_every_size(name: str, head: str, attention: str, kind: str) -> None:
    _check_compiled(name, head, attention, kind, _SHAPES)


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].refused])
def test_refused(name: str) -> None:
    """The message names what is missing, and which types are known."""
    model = make_model(name)
    call = call_of("mask", model, "base", 2, 7)
    with pytest.raises(CanaoError, match=FAMILIES[name].refused) as caught:
        canao.compile(model, call, tune="off", threads=1)
    assert isinstance(caught.value, UnsupportedOpError | UnsupportedModelError)
    assert f"'{name}' is none of the types" in str(caught.value)
    assert "deberta-v2" in str(caught.value)


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].fixed_only])
def test_refused_for_every_size(name: str) -> None:
    model = make_model(name)
    call = call_of("mask", model, "base", 2, 7)
    with pytest.raises(CanaoError) as caught:
        canao.compile(model, call, tune="off", threads=1, dynamic_shapes=_SHAPES)
    assert isinstance(caught.value, UnsupportedOpError | UnsupportedModelError)
    assert "none of the types" not in str(caught.value)


def test_a_folder_of_a_type_that_is_not_known(tmp_path: Path) -> None:
    make_model("fnet").save_pretrained(tmp_path)
    with pytest.raises(UnsupportedOpError, match=r"aten\._fft_c2c.*'fnet' is none of the types"):
        canao.compile(tmp_path, tune="off", threads=1)


def test_an_encoder_of_t5_by_folder(tmp_path: Path) -> None:
    make_model("t5").save_pretrained(tmp_path)
    from canao.huggingface.pretrained import load_pretrained

    assert type(load_pretrained(tmp_path)) is transformers.T5EncoderModel


# ------------------------------------------------------------ the whole product


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", _KNOWN)
def test_every_head(name: str) -> None:
    """Each head with each attention, fixed and for every size."""
    family = FAMILIES[name]
    for attention in family.attention:
        for head in heads_of(name):
            _check_compiled(name, head, attention, "mask", None)
            if attention not in family.fixed_only:
                _check_compiled(name, head, attention, "mask", _SHAPES)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", _KNOWN)
def test_every_kind_of_call(name: str) -> None:
    """Those that the model of PyTorch takes, masks and none among them."""
    taken = [kind for kind in KINDS if not _refused_kind(name, kind)]
    assert {"mask", "left padding", "no mask"} <= set(taken)
    for kind in taken:
        _check_compiled(name, "base", "eager", kind, None)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("name", "head", "attention"), _MIXED)
def test_opencl(name: str, head: str, attention: str) -> None:
    """For every size where that is compiled, for one shape elsewhere."""
    shapes = None if attention in FAMILIES[name].fixed_only else _SHAPES
    _check_compiled(name, head, attention, "mask", shapes, "opencl")
