"""The functions of `model.h`, called through a shared library."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.export import Dim
from unit.exporting.exported_models import Mixed, library, mixed_inputs

import canao

WRONG_ARGUMENT, WRONG_THREADS, WRONG_SIZE, CHECK_FAILED = 1, 2, 3, 13


class Functions:
    """What a C program has of an export."""

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(library(path)))
        self.weights = str(path / "weights.bin").encode()
        for name in ("open", "open_memory", "share"):
            self[name].restype = ctypes.c_void_p
        for name in ("failed", "text"):
            self[name].restype = ctypes.c_char_p

    def __getitem__(self, name: str) -> Any:
        return getattr(self._c, f"canao_model_{name}")

    def open(self, threads: int = 1) -> Any:
        """An instance, and the status."""
        status = ctypes.c_int(-1)
        found = self["open"](self.weights, threads, 0, ctypes.byref(status))
        return ctypes.c_void_p(found), status.value

    def run(self, model: Any, inputs: Any, sizes: Any, shapes: Any) -> Any:
        """The status and the outputs."""
        arrays = [tensor.numpy() for tensor in inputs]
        outputs = [np.zeros(shape, kind) for shape, kind in shapes]
        given = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        made = (ctypes.c_void_p * len(outputs))(*(a.ctypes.data for a in outputs))
        numbers = (ctypes.c_int64 * 2)(*sizes)
        return self["run"](model, given, numbers, made), outputs


def _shapes(batch: int, rows: int) -> list[tuple[tuple[int, ...], str]]:
    return [((batch, rows, 48), "f4"), ((batch, 48), "f4"), ((), "i8"), ((0,), "f4")]


@pytest.fixture(scope="module")
def model() -> canao.CompiledModel:
    dims = {0: Dim("batch", min=1, max=3), 1: Dim("rows", min=2, max=20)}
    inputs = mixed_inputs()
    return canao.compile(Mixed(), inputs, tune="off", threads=2, dynamic_shapes=(dims, dims, None))


@pytest.fixture(scope="module")
def functions(model: canao.CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Functions:
    return Functions(model.export(tmp_path_factory.mktemp("functions")))


def test_instances_run_at_once(functions: Functions, model: canao.CompiledModel) -> None:
    """Each thread has its own; some share the weights of one that is closed before them."""
    first, status = functions.open(2)
    assert status == 0
    others = [ctypes.c_void_p(functions["share"](first, 1, None)) for _ in range(2)]
    own, _ = functions.open(1)
    functions["close"](first)

    def work(number: int) -> None:
        instance = [*others, own][number]
        for rows in range(2, 21):
            inputs = mixed_inputs(number + 1, rows)
            status, found = functions.run(
                instance, inputs, (number + 1, rows), _shapes(number + 1, rows)
            )
            assert status == 0
            for one, other in zip(found, model(*inputs), strict=True):
                np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    for instance in (*others, own):
        functions["close"](instance)


def test_weights_in_memory(functions: Functions) -> None:
    data = Path(functions.weights.decode()).read_bytes()
    room = np.zeros(len(data) + 64, np.uint8)
    start = -room.ctypes.data % 64
    room[start : start + len(data)] = np.frombuffer(data, np.uint8)
    at, status = room.ctypes.data + start, ctypes.c_int(-1)
    bytes_ = ctypes.c_size_t(len(data))
    place = ctypes.c_void_p(at)
    opened = functions["open_memory"](place, bytes_, 1, 0, ctypes.byref(status))
    assert (bool(opened), status.value) == (True, 0)
    functions["close"](ctypes.c_void_p(opened))
    off = ctypes.c_void_p(at + 4)
    assert not functions["open_memory"](off, bytes_, 1, 0, ctypes.byref(status))
    assert status.value == WRONG_ARGUMENT


def test_wrong_arguments(functions: Functions) -> None:
    assert functions.open(3)[1] == WRONG_THREADS
    assert functions.open(-1)[1] == WRONG_THREADS
    instance, _ = functions.open()
    inputs = mixed_inputs(2, 9)
    for sizes in ((0, 9), (4, 9), (2, 1), (2, 21)):
        assert functions.run(instance, inputs, sizes, _shapes(2, 9))[0] == WRONG_SIZE
    assert functions["run"](instance, None, (ctypes.c_int64 * 2)(2, 9), None) == WRONG_ARGUMENT
    assert functions["run"](None, None, None, None) == WRONG_ARGUMENT
    functions["close"](instance)
    functions["close"](None)
    for status in range(-1, 20):
        assert functions["text"](status)


def test_a_check_that_fails(functions: Functions, model: canao.CompiledModel) -> None:
    """A number of a token that the table has not; the instance goes on."""
    instance, _ = functions.open()
    good = mixed_inputs(2, 9)
    bad = (good[0].clone(), *good[1:])
    bad[0][1, 3] = 50
    with pytest.raises(canao.CanaoError) as caught:
        model(*bad)
    status, _ = functions.run(instance, bad, (2, 9), _shapes(2, 9))
    assert status == CHECK_FAILED
    said = functions["failed"](instance).decode()
    assert said
    assert said in str(caught.value)
    assert functions.run(instance, good, (2, 9), _shapes(2, 9))[0] == 0
    assert functions["failed"](instance) is None
    functions["close"](instance)
