"""What the documents show is what the compiler does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md"]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHECK = re.compile(r"^// ([A-Z][A-Z0-9-]*?)(?:-NEXT|-LABEL)?: +(.*)$")
_LINK = re.compile(r"\]\((?!\w+:)([^)#]+)")


def _fences(page: Path, *languages: str) -> list[str]:
    found = _FENCE.findall(page.read_text())
    return [body for language, body in found if language in languages]


def _stripped(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def _checked_texts() -> list[list[str]]:
    """What is checked: for each file of lit its IR, and its lines under each prefix; C that a test
    of exported programs builds."""
    examples = ROOT / "docs" / "examples"
    texts = [_stripped(path.read_text().splitlines()) for path in sorted(examples.glob("*.c*"))]
    for path in sorted((ROOT / "docs" / "examples").glob("*.mlir")):
        under: dict[str, list[str]] = {"": []}
        for line in path.read_text().splitlines():
            check = _CHECK.match(line)
            if check is not None:
                under.setdefault(check[1], []).append(check[2])
            elif not line.startswith("//"):
                under[""].append(line)
        texts += [_stripped(lines) for lines in under.values()]
    return texts


def _occurs(snippet: list[str], text: list[str]) -> bool:
    starts = range(len(text) - len(snippet) + 1)
    return any(text[n : n + len(snippet)] == snippet for n in starts)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_piece_of_ir_is_checked_by_lit(page: Path) -> None:
    texts = _checked_texts()
    for fence in _fences(page, "mlir", "c"):
        snippet = _stripped(fence.splitlines())
        assert any(_occurs(snippet, text) for text in texts), f"not checked by lit:\n{fence}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the Python of the tutorial from top to bottom, in an empty folder."""
    tutorial = ROOT / "docs" / "tutorial.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "cache"))
    names: dict[str, object] = {"__name__": "tutorial"}
    fences = _fences(tutorial, "python")
    assert fences
    for number, fence in enumerate(fences, start=1):
        exec(compile(fence, f"tutorial.md, example {number}", "exec"), names)


def test_every_pass_is_documented() -> None:
    from canao.tools.registry import get_all_passes

    text = (ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in get_all_passes() if f"`{name}`" not in text] == []


def test_every_operation_is_documented() -> None:
    from canao.dialects.canao import Canao

    text = (ROOT / "docs" / "dialect.md").read_text()
    names = [op.name.removeprefix("canao.") for op in Canao.operations]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_error_is_documented() -> None:
    import canao.errors

    text = (ROOT / "docs" / "errors.md").read_text()
    names = [name for name, value in vars(canao.errors).items() if isinstance(value, type)]
    assert [name for name in names if f"`{name}`" not in text] == []


def _carriers() -> list[str]:
    """What the glossary names in the last column of its table."""
    rows = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    cells = [row.split("|")[3] for row in rows if row.startswith("|")][2:]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_entry_of_the_glossary_names_what_carries_it() -> None:
    rows = [r for r in (ROOT / "docs" / "glossary.md").read_text().splitlines() if r[:1] == "|"]
    assert len(rows) > 2
    assert all(re.search(r"`[^`]+`", row.split("|")[3]) for row in rows[2:])
    words = [row.split("|")[1].strip() for row in rows[2:]]
    assert words == sorted(words, key=str.lower)


@pytest.mark.parametrize("name", _carriers())
def test_what_the_glossary_names_exists(name: str) -> None:
    """A file, a class with a member, or what some file defines."""
    files = list((ROOT / "canao").rglob("*.py"))
    if name.endswith(".py"):
        assert name in {path.name for path in files}
        return
    texts = [path.read_text() for path in files]
    owner, _, member = name.partition(".")
    defined = rf"^ *(?:class|def) {owner}\b|^{owner}\b[^=\n]*="
    found = [text for text in texts if re.search(defined, text, re.MULTILINE)]
    assert found, f"nothing defines {owner}"
    if member:
        own = rf"^class {owner}\b(?:\n(?![^\s])|.)*?^    (?:def )?{member}\b"
        assert any(re.search(own, text, re.MULTILINE) for text in found), f"{owner} has no {member}"
