"""The table of encoders in docs/models.md, made of the same data that the tests check.

    PYTHONPATH=.:test python -m unit.families.table

writes it into the page.
"""

from __future__ import annotations

from pathlib import Path

from unit.families.zoo import FAMILIES, HEADS, heads_of

from canao.files import replace_text

PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
BEGIN, END = "<!-- table of encoders -->\n", "<!-- end of the table -->\n"


def _row(name: str) -> str:
    family = FAMILIES[name]
    if family.refused:
        cells = ["", "", "", f"refused: `{family.refused}`"]
    else:
        heads = heads_of(name)
        missing = [head for head in HEADS if head not in heads]
        every = [kind for kind in family.attention if kind not in family.fixed_only]
        cells = [
            "all" if not missing else ", ".join(heads),
            ", ".join(family.attention),
            "yes",
            ", ".join(every) or "no",
        ]
    return f"| {' | '.join([family.title, f'`{name}`', *cells])} |"


def table() -> str:
    """The table in Markdown, a row a family, between its markers."""
    head = ["model", "type", "heads", "attention", "fixed shapes", "every size"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *map(_row, FAMILIES)]
    return BEGIN + "\n".join(lines) + "\n" + END


def with_table(page: str) -> str:
    """The page with the table of now."""
    before, rest = page.split(BEGIN)
    return before + table() + rest.split(END)[1]


if __name__ == "__main__":
    replace_text(PAGE, with_table(PAGE.read_text(encoding="utf-8")))
