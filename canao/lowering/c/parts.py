"""Cuts an emitted unit into translation units that compile side by side.

A unit is one C file, in sections. What does not depend on the model (the thread
pool and the functions that callers know) is a translation unit of its own, the
same for every model, so that it is compiled once; kernels can be spread over
several. Linked together they do what the whole file does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHARED, KERNEL, POOL, NUMBERS, CONTEXT, STEPS, ENTRY = (
    "what kernels share",
    "kernel",
    "thread pool",
    "numbers",
    "what a run knows",
    "steps",
    "interface",
)
"""The sections of a unit after what all of it needs, in order."""

_MARK = "/* ==== {} ==== */"
_MARKS = re.compile(r"^/\* ==== (.+) ==== \*/$", re.MULTILINE)
_HEAD = re.compile(r"^(CANAO_KERNEL .*) \{$", re.MULTILINE)
_NUMBER = re.compile(r"^#define (CANAO_\w+) .*$", re.MULTILINE)
_TABLES = """\
extern CANAO_TABLE canao_step canao_steps[];
extern CANAO_TABLE char *const canao_messages[];"""


def join(head: str, sections: Sequence[tuple[str, str]]) -> str:
    """The unit of a head and its sections, each given by kind and text."""
    texts = [head.strip("\n")]
    texts += [f"{_MARK.format(kind)}\n\n{text.strip()}" for kind, text in sections if text.strip()]
    return "\n\n".join(texts) + "\n"


@dataclass(frozen=True)
class Parts:
    """Translation units that make up one unit."""

    runtime: str
    """What does not depend on the model."""
    others: tuple[str, ...]


def split(source: str, count: int) -> Parts | None:
    """Cuts a unit into the runtime and at most `count` other parts; None if it has no sections."""
    pieces = _MARKS.split(source)
    kinds, texts = pieces[1::2], pieces[2::2]
    if not {POOL, NUMBERS, CONTEXT, STEPS, ENTRY} <= set(kinds):
        return None
    kernels = [text for kind, text in zip(kinds, texts, strict=True) if kind == KERNEL]
    only = {kind: text for kind, text in zip(kinds, texts, strict=True) if kind != KERNEL}
    head = f"#define CANAO_PARTS\n{pieces[0]}"
    groups = _balanced(kernels, count)
    shared = only.get(SHARED, "")
    heads = "\n".join(f"{line};" for text in kernels for line in _HEAD.findall(text))
    program = "".join(only[kind] for kind in (POOL, NUMBERS, CONTEXT, STEPS))
    first = "".join([head, shared, f"{heads}\n", *groups[0], program])
    return Parts(
        runtime=_runtime(head, only),
        others=(first, *("".join([head, shared, *group]) for group in groups[1:])),
    )


def _runtime(head: str, sections: Mapping[str, str]) -> str:
    """The pool and the interface; what the model decides is found by the linker."""
    names = _NUMBER.findall(sections[NUMBERS])
    numbers = [f"#define {name} {_variable(name)}" for name in names]
    numbers += [f"extern CANAO_TABLE long {_variable(name)};" for name in names]
    return "".join(
        [
            head,
            sections[POOL],
            "\n".join(numbers),
            sections[CONTEXT],
            _TABLES,
            sections[ENTRY],
        ]
    )


def numbers(values: Mapping[str, int]) -> str:
    """The section of the numbers that a model decides."""
    lines = [f"#define {name} {value}" for name, value in values.items()]
    lines += ["#ifdef CANAO_PARTS"]
    lines += [f"extern CANAO_TABLE long {_variable(name)};" for name in values]
    lines += [f"CANAO_TABLE long {_variable(name)} = {name};" for name in values]
    return "\n".join([*lines, "#endif"])


def _variable(name: str) -> str:
    return f"canao_number_{name.removeprefix('CANAO_').lower()}"


def _balanced(texts: Sequence[str], count: int) -> list[list[str]]:
    """Groups of about the same length; the largest texts are placed first."""
    groups: list[list[str]] = [[] for _ in range(max(1, min(count, len(texts))))]
    for text in sorted(texts, key=len, reverse=True):
        min(groups, key=lambda group: sum(map(len, group))).append(text)
    return groups
