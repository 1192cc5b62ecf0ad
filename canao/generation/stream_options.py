"""What may be asked of a stream of text, under the names that transformers has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from canao.errors import CanaoError
from canao.generation.pick import Sampling


class StreamOptions(TypedDict, total=False):
    """How text is generated; all of it may be left out.

    A stream ends after `max_new_tokens` (64), at the model's end of text, at the limit of tokens,
    or before one of the texts `stop`. The others are fields of `Sampling`.
    """

    max_new_tokens: int
    do_sample: bool
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    stop: str | Iterable[str]
    seed: int | None


def read_options(options: StreamOptions) -> tuple[int, tuple[str, ...], Sampling]:
    """The number of tokens, the texts to stop before, and how tokens are drawn.

    `CanaoError` for one that is unknown or out of range.
    """
    unknown = sorted(options.keys() - StreamOptions.__annotations__.keys())
    if unknown:
        raise CanaoError(
            f"'{unknown[0]}' is no option of a stream; "
            f"those are {', '.join(StreamOptions.__annotations__)}"
        )
    rest: Mapping[str, Any] = {
        name: value for name, value in options.items() if name not in ("max_new_tokens", "stop")
    }
    most, stop = options.get("max_new_tokens", 64), options.get("stop", ())
    if most < 0:
        raise CanaoError(f"max_new_tokens={most} is out of range; give 0 or more")
    return most, (stop,) if isinstance(stop, str) else tuple(stop), Sampling(**rest)
