"""The page says what the report says, loads nothing, and shows hostile names as text."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from canao.inspecting.inspection import Inspection
from canao.inspecting.page import write_page

_EMPTY = {"meta", "input", "link", "img", "br"}


class Page(HTMLParser):
    """Elements with their attributes and the text inside; an error where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY:
            self.found.append((tag, dict(attrs), ""))
        else:
            self.open.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        name, attributes, texts = self.open.pop()
        assert name == tag
        self.found.append((name, attributes, "".join(texts)))

    def handle_data(self, data: str) -> None:
        for _, _, texts in self.open:
            texts.append(data)

    def all(self, tag: str, **attributes: str) -> list[str]:
        """The texts of the elements with some attributes."""
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [t for n, a, t in self.found if n == tag and wanted.items() <= a.items()]


def page_of(found: Inspection, directory: Path) -> tuple[Page, str]:
    path = directory / "page.html"
    write_page(found, path)
    text = path.read_text(encoding="utf-8")
    return Page(text), text


def test_rows_are_those_of_the_report(inspected: Inspection, tmp_path: Path) -> None:
    page, _ = page_of(inspected, tmp_path)
    report, graphs = inspected.report, inspected.graphs
    rows = page.all("tr", class_="kernel-row")
    assert len(rows) == len(report.kernels)
    for row in report.kernels:
        assert sum(text.startswith(row.name) for text in rows) == 1
        assert len(page.all("summary")) == len(report.kernels) + 1
    ids = [a["id"] for _, a, _ in page.found if "id" in a]
    assert sum(bool(re.fullmatch(r"layer\.\d+", i or "")) for i in ids) == report.layers_after
    assert len([i for i in ids if (i or "").startswith("op.")]) == sum(
        node.kind in ("operator", "move") for node in graphs.before
    )
    assert f"Before fusion: {report.layers_before} layers" in page.all("h2")
    assert f"After fusion: {report.layers_after} layers" in page.all("h2")
    for law in report.rewrites:
        kept = "changes" if law.changes_rounding else "kept"
        assert f"{law.law}{law.count}{kept}" in page.all("tr")


def test_kernels_have_their_text(inspected: Inspection, tmp_path: Path) -> None:
    page, _ = page_of(inspected, tmp_path)
    assert page.all("pre") == [inspected.texts[row.name] for row in inspected.profile.kernels]


def test_links_lead_to_places_on_the_page(inspected: Inspection, tmp_path: Path) -> None:
    page, _ = page_of(inspected, tmp_path)
    ids = Counter(a["id"] for _, a, _ in page.found if "id" in a)
    assert set(ids.values()) == {1}
    links = [a["href"] or "" for _, a, _ in page.found if "href" in a]
    assert links
    assert [link for link in links if not link.startswith("#") or link[1:] not in ids] == []


def test_nothing_is_loaded(inspected: Inspection, hostile: Inspection, tmp_path: Path) -> None:
    for found in (inspected, hostile):
        page, text = page_of(found, tmp_path)
        tags = {name for name, _, _ in page.found}
        assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form", "svg"}
        for _, attributes, _ in page.found:
            assert not {"src", "srcset", "action", "data", "background"} & set(attributes)
        assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|WebSocket", text)
        policy = [a["content"] for _, a, _ in page.found if "http-equiv" in a]
        assert policy == [
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
        ]


def test_hostile_names_are_text(hostile: Inspection, tmp_path: Path) -> None:
    page, text = page_of(hostile, tmp_path)
    assert text.count("<script") == text.count("</script") == 1
    assert page.all("h1") == [hostile.title]
    assert any("<script>alert('1')</script>.dense.weight" in cell for cell in page.all("td"))
    assert not any(name.startswith("on") for _, a, _ in page.found for name in a)


def test_people_without_a_mouse_or_eyes_can_use_it(inspected: Inspection, tmp_path: Path) -> None:
    page, text = page_of(inspected, tmp_path)
    attributes = [(name, a) for name, a, _ in page.found]
    assert [a["lang"] for name, a in attributes if name == "html"] == ["en"]
    assert any(name == "label" and a.get("for") == "filter" for name, a in attributes)
    assert len(page.all("caption")) == len(page.all("table")) == 4
    heads = [a for name, a in attributes if name == "th"]
    assert all(a.get("scope") in ("col", "row") for a in heads)
    sortable = [a for a in heads if "aria-sort" in a]
    assert len(sortable) == len(page.all("button", type="button"))
    wide = [a for _, a in attributes if a.get("class") == "wide"]
    assert wide
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in wide)
    assert "prefers-color-scheme: dark" in text
