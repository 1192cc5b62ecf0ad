"""The kinds of what `canao export` writes, and the options that each of them takes."""

from __future__ import annotations

from dataclasses import dataclass

import typer

_ALL = frozenset({"model", "cache_dir", "tune"})
_PROGRAM = frozenset({"device", "dtype", "name", "out", "target", "threads"})


@dataclass(frozen=True)
class Kind:
    """Something to export."""

    option: str
    """The option that asks for it, without its dashes."""
    taken: frozenset[str]
    """The options that say something of it, without dashes."""

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.option}"


_KINDS = (
    Kind("android", _ALL | {"android", "max_length", "name", "package", "threads"}),
    Kind("web", _ALL | {"web", "dtype", "max_length"}),
    Kind("answering", _ALL | _PROGRAM | {"answering", "max_length"}),
    Kind("decoder", _ALL | _PROGRAM | {"decoder", "max_length"}),
)
_PLAIN = Kind("out", _ALL | _PROGRAM | {"attn", "batch", "dynamic", "seq"})
"""A program that runs a model: what is exported if nothing else is asked for."""


def check_kind(context: typer.Context) -> None:
    """A wrong use of the command for an option that says nothing of what is exported."""
    given = [one for one in context.command.params if _is_given(context, one.name)]
    names = {parameter.name for parameter in given}
    kind = next((one for one in _KINDS if one.option in names), _PLAIN)
    for parameter in given:
        if parameter.name in kind.taken:
            continue
        flag = parameter.opts[0]
        if kind is not _PLAIN:
            raise typer.BadParameter(f"{flag} is not for {kind.flag}: leave one out")
        takers = " or ".join(one.flag for one in _KINDS if parameter.name in one.taken)
        raise typer.BadParameter(f"{flag} is for {takers}: give it too, or leave {flag} out")
    if kind.option not in names or ("out" in kind.taken and "out" not in names):
        raise typer.BadParameter(
            "give --out for a program, --web for a page, or --android for an app"
        )


def _is_given(context: typer.Context, name: str | None) -> bool:
    source = context.get_parameter_source(name) if name else None
    return source is not None and source.name == "COMMANDLINE"
