"""The tables of encoders in docs/models.md and the README, made of the data that the tests check.

    PYTHONPATH=.:test python -m unit.families.table

writes them into the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from unit.families.zoo import FAMILIES, HEADS, heads_of

from canao.files import replace_text

_ROOT = Path(__file__).resolve().parents[3]
_BEGIN, _END = "<!-- table of encoders -->\n", "<!-- end of the table -->\n"
_COLUMNS = ("heads", "attention", "fixed shapes", "every size", "targets")


def _cells(name: str) -> tuple[str, ...]:
    """What the columns say of a family."""
    family = FAMILIES[name]
    if family.refused:
        return "", "", "", f"refused: `{family.refused}`", ""
    heads = heads_of(name)
    missing = [head for head in HEADS if head not in heads]
    every = [kind for kind in family.attention if kind not in family.fixed_only]
    return (
        "all" if not missing else ", ".join(heads),
        ", ".join(family.attention),
        "yes",
        ", ".join(every) or "no",
        "C, OpenCL",
    )


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines]) + "\n"


def _every_family() -> str:
    """A row a family."""
    rows = ((FAMILIES[name].title, f"`{name}`", *_cells(name)) for name in FAMILIES)
    return _markdown(("model", "type", *_COLUMNS), rows)


def _families_alike() -> str:
    """A row for all families of which the columns say the same."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, family in FAMILIES.items():
        alike.setdefault(_cells(name), []).append(family.title)
    rows = ((", ".join(titles), *cells) for cells, titles in alike.items())
    return _markdown(("models", *_COLUMNS), rows)


TABLES = {_ROOT / "docs" / "models.md": _every_family, _ROOT / "README.md": _families_alike}
"""Pages, and what makes the table of each."""


def with_table(page: Path) -> str:
    """The text of a page with the table of now."""
    before, rest = page.read_text(encoding="utf-8").split(_BEGIN)
    return before + _BEGIN + TABLES[page]() + _END + rest.split(_END)[1]


if __name__ == "__main__":
    for path in TABLES:
        replace_text(path, with_table(path))
