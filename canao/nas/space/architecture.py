"""An architecture: the sizes of a BERT-like encoder that a search decides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from canao.errors import CanaoError

_KEY = re.compile(r"h(\d{1,9})-a(\d{1,9})-f(\d{1,9}(?:\.\d{1,9})*)")


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder, one feed-forward size a block."""

    hidden_size: int
    num_heads: int
    intermediate_sizes: tuple[int, ...]
    """The width of each block's feed-forward layer, from the first block to the last."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "intermediate_sizes", tuple(self.intermediate_sizes))
        if not self.intermediate_sizes:
            raise CanaoError("an architecture needs at least one block; give an intermediate size")
        sizes = (self.hidden_size, self.num_heads, *self.intermediate_sizes)
        for size in cast("tuple[object, ...]", sizes):
            # True is an int, but no size.
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise CanaoError(
                    f"{size!r} is not a size in {self._text()}; give whole numbers from 1"
                )
        if self.hidden_size % self.num_heads:
            raise CanaoError(
                f"hidden size {self.hidden_size} does not divide into {self.num_heads} heads; "
                "choose a number of heads that divides it"
            )

    @property
    def num_blocks(self) -> int:
        """The number of transformer blocks."""
        return len(self.intermediate_sizes)

    @property
    def key(self) -> str:
        """A short text that equal architectures share, fit for the name of a file."""
        return (
            f"h{self.hidden_size}-a{self.num_heads}-f{'.'.join(map(str, self.intermediate_sizes))}"
        )

    @classmethod
    def from_key(cls, text: str) -> Architecture:
        """The architecture that has a key; an error for any other text."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise CanaoError(
                f"{text!r} names no architecture; write hHIDDEN-aHEADS-fSIZE.SIZE..., a size for "
                "each block, such as h384-a12-f1536.1536.1536"
            )
        hidden, heads, sizes = found.groups()
        return cls(int(hidden), int(heads), tuple(int(size) for size in sizes.split(".")))

    def to_json(self) -> str:
        """The sizes as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """The architecture that `to_json` wrote; an error for any other text."""
        try:
            found: object = json.loads(text)
        except ValueError as error:
            raise CanaoError(f"{text!r} is not an architecture in JSON: {error}") from error
        return cls.from_mapping(found)

    @classmethod
    def from_mapping(cls, found: object) -> Architecture:
        """The architecture of a JSON object that was read; an error for any other value."""
        names = [field.name for field in fields(cls)]
        if not isinstance(found, Mapping):
            raise CanaoError(f"{found!r} is not an architecture; it needs {', '.join(names)}")
        values = cast(Mapping[str, Any], found)
        if sorted(values) != sorted(names):
            raise CanaoError(
                f"an architecture has {', '.join(names)}; this one has {', '.join(sorted(values))}"
            )
        sizes = values["intermediate_sizes"]
        if not isinstance(sizes, Sequence) or isinstance(sizes, str):
            raise CanaoError(f"intermediate_sizes={sizes!r} is not a list of sizes, one a block")
        return cls(values["hidden_size"], values["num_heads"], tuple(cast("Sequence[int]", sizes)))

    def _text(self) -> str:
        return (
            f"Architecture({self.hidden_size!r}, {self.num_heads!r}, {self.intermediate_sizes!r})"
        )
