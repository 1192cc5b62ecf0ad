"""Names of variables in C: words that lowering gave to values, or letters with numbers.

Only words that lowering uses are taken from a module, so that no name of C, of its
libraries or of a macro is ever hidden, whatever the module's values are called.
"""

from __future__ import annotations

import re

from canao.lowering.stages.words import WORDS

_HINT = re.compile(r"(?P<word>[a-z]+(?:_[a-z]+)*)(?P<numbers>\d*(?:\.\d+)?)")
LETTERS = {"input": "x", "indices": "n", "packed_weight": "w", "table": "e", "output": "y"}
"""What begins the names of what is loaded from a buffer, if not its first letter."""
_TAKEN = frozenset({"call", "task", "scratch", "status"})


def readable(hint: str | None) -> str | None:
    """The name in C of a value that lowering named, such as `sum0_1` of `sum0.1`."""
    found = _HINT.fullmatch(hint) if hint else None
    if found is None or found["word"] not in WORDS:
        return None
    return found["word"] + found["numbers"].replace(".", "_")


class Names:
    """The names in use where a function is being printed: those of enclosing blocks too."""

    def __init__(self) -> None:
        self._used = set(_TAKEN)
        self._next: dict[str, int] = {}
        self._outer: list[tuple[set[str], dict[str, int]]] = []

    def open(self) -> None:
        """Begins a block: what it names is free again after it."""
        self._outer.append((set(self._used), dict(self._next)))

    def close(self) -> None:
        """Ends a block."""
        self._used, self._next = self._outer.pop()

    def word(self, name: str) -> str:
        """A name like the one that is wanted."""
        found = name
        while found in self._used:
            number = self._next.get(name, 2)
            self._next[name] = number + 1
            found = f"{name}_{number}"
        self._used.add(found)
        return found

    def letter(self, letter: str) -> str:
        """A letter with the next number."""
        while True:
            number = self._next.get(letter, 1)
            self._next[letter] = number + 1
            found = f"{letter}{number}"
            if found not in self._used:
                self._used.add(found)
                return found
