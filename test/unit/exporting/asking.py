"""The functions of an exported program that answers questions, called through a shared library."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

from unit.exporting.exported_models import COMPILERS

OK, CUT_OFF, CORRUPT = 0, 7, 9
NO_TOKENIZER, OTHER_TOKENIZER, NOT_UTF8, NO_TEXT, NO_QUESTION, LONG_QUESTION = range(14, 20)
PARTS = ("model", "kernels", "tokenizer", "answering")


class Token(ctypes.Structure):
    """A `canao_tokenizer_token`."""

    _fields_ = [(name, ctypes.c_int64) for name in ("id", "start", "end")]


class Found(ctypes.Structure):
    """A `canao_answer`."""

    _fields_ = [("start", ctypes.c_int64), ("end", ctypes.c_int64), ("score", ctypes.c_float)]


class Asked:
    """An export whose functions are called from here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        made = path / "libasked.so"
        flags = ["-O1", "-shared", "-fPIC", "-pthread", "-o", str(made)]
        files = [str(path / f"{part}.c") for part in PARTS]
        subprocess.run([COMPILERS["gcc"], *flags, *files, "-lm"], check=True, capture_output=True)
        self._c = ctypes.CDLL(str(made))
        for name in ("model_open", "tokenizer_open", "tokenizer_open_memory", "answerer_open"):
            self[name].restype = ctypes.c_void_p
        status = ctypes.c_int(-1)
        weights, tokenizer = (str(path / f"{n}.bin").encode() for n in ("weights", "tokenizer"))
        self.model = ctypes.c_void_p(self["model_open"](weights, 1, 0, ctypes.byref(status)))
        assert status.value == OK
        self.answerer = ctypes.c_void_p(
            self["answerer_open"](self.model, tokenizer, ctypes.byref(status))
        )
        assert status.value == OK
        self.tokenizer = ctypes.c_void_p(self["tokenizer_open"](tokenizer, None))

    def __getitem__(self, name: str) -> Any:
        return getattr(self._c, f"canao_{name}")

    def opened(self, data: bytes) -> int:
        """The status of a tokenizer in memory."""
        status = ctypes.c_int(-1)
        size = ctypes.c_size_t(len(data))
        made = self["tokenizer_open_memory"](data, size, ctypes.byref(status))
        assert bool(made) == (status.value == OK)
        self["tokenizer_close"](ctypes.c_void_p(made))
        return status.value

    def encode(self, text: bytes) -> tuple[int, list[tuple[int, int, int]]]:
        """The status, and the tokens: numbers and where they begin and end, in bytes."""
        tokens, count = ctypes.POINTER(Token)(), ctypes.c_size_t()
        size = ctypes.c_size_t(len(text))
        status = self["tokenizer_encode"](
            self.tokenizer, text, size, ctypes.byref(tokens), ctypes.byref(count)
        )
        found = [(one.id, one.start, one.end) for one in tokens[: count.value]]
        ctypes.CDLL(None).free(tokens)
        return status, found

    def widened(self, text: bytes, start: int, end: int) -> tuple[int, int, int]:
        """Whether something is left of a span, and what."""
        low, high = ctypes.c_int64(start), ctypes.c_int64(end)
        size = ctypes.c_size_t(len(text))
        left = self["tokenizer_widen"](
            self.tokenizer, text, size, ctypes.byref(low), ctypes.byref(high)
        )
        return left, low.value, high.value

    def ask(self, text: bytes, question: bytes, most: int = 5) -> tuple[int, list[Any]]:
        """The status, and answers: start and end in bytes, score."""
        answers, count = (Found * most)(), ctypes.c_int(-1)
        sizes = [ctypes.c_size_t(len(one)) for one in (text, question)]
        status = self["answerer_ask"](
            self.answerer, text, sizes[0], question, sizes[1], answers, most, ctypes.byref(count)
        )
        return status, [(one.start, one.end, one.score) for one in answers[: count.value]]
