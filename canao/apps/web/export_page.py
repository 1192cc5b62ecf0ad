"""Writing a model as a page that answers questions in the browser, with no server behind it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from canao.apps.question_answerer import QuestionAnswerer
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import compiler_for
from canao.errors import ToolchainError, UnsupportedModelError
from canao.files import replacing
from canao.machine.target import Target

MODULE, RELAXED = "model.wasm", "model-relaxed.wasm"
_DATA = ("weights.bin", "tokenizer.bin")
_SOURCES = ("model.c", "kernels.c", "tokenizer.c", "answering.c")
_FUNCTIONS = (
    "canao_model_open_memory",
    "canao_model_run",
    "canao_model_text",
    "canao_answerer_open_memory",
    "canao_answerer_ask",
    "aligned_alloc",
    "free",
)
"""What the page calls."""
_OF_THE_DEMO = (
    "answering.js",
    "examples.js",
    "files.js",
    "icon.svg",
    "passage.js",
    "spans.js",
    "style.css",
    "timings.js",
)
_OWN = ("main.js", "server.js", "worker.js")
_INDEX, _OFFLINE = "index.html", "service-worker.js"
_SECTION = ('<section class="card" id="answering"', "</section>")
"""The part of the demo's page that is the whole of this one."""


def export_page(answerer: QuestionAnswerer, directory: str | Path) -> Path:
    """Write a folder for any server of static files; it answers questions without a network.

    The model must be compiled for browsers (`browser_row` of the table of targets).
    `UnsupportedModelError` for another one, `ToolchainError` where the compiler fails.
    """
    directory = Path(directory)
    target = answerer.model.build.target
    if target.row is None or not target.row.page:
        raise UnsupportedModelError(
            f"code for {target.triple} does not run in browsers; compile the model for a target "
            "that does, as canao export --web"
        )
    with tempfile.TemporaryDirectory(prefix="canao-page-") as room:
        program = answerer.export(Path(room) / "program")
        modules = _linked(program, target)
        parts = {name: (program / name).read_bytes() for name in _DATA}
    parts |= {**modules, **_pages()}
    # The one that browsers read last names the others.
    for name, content in (*parts.items(), (_OFFLINE, _offline(parts))):
        with replacing(directory / name) as new:
            new.write_bytes(content)
    return directory


def _linked(program: Path, target: Target) -> dict[str, bytes]:
    """The functions of an exported program as modules of WebAssembly, for all browsers and for
    those that have relaxed SIMD.
    """
    compiler, row = compiler_for(target), target.row
    assert row is not None
    exported = tuple(f"-Wl,--export={name}" for name in _FUNCTIONS)
    modules: dict[str, bytes] = {}
    for name, more in ((MODULE, ()), (RELAXED, row.relaxed)):
        flags = (*compiler.flags(target), *more)
        command = [*compiler.command, *flags, *_SOURCES, "-s", *row.page, *exported, "-o", name]
        done = run_compiler(command, program)
        if done.returncode or not (program / name).exists():
            raise ToolchainError(explain_refusal(compiler, flags, done, program))
        modules[name] = (program / name).read_bytes()
    return modules


def _pages() -> dict[str, bytes]:
    """The page and its scripts by name, own ones and those of the demo."""
    own = files("canao.apps.web") / "page"
    demo = files("canao.apps.demo") / "page"
    page = _text(own, _INDEX).replace("<!-- @answering -->", _section(_text(demo, _INDEX)))
    return {
        _INDEX: page.encode(),
        **{name: (own / name).read_bytes() for name in _OWN},
        **{name: (demo / name).read_bytes() for name in _OF_THE_DEMO},
    }


def _section(page: str) -> str:
    begin, end = _SECTION
    start = page.index(begin)
    return page[start : page.index(end, start) + len(end)]


def _offline(parts: Mapping[str, bytes]) -> bytes:
    """The service worker, which knows all files, and by a digest whether they are other ones."""
    whole = hashlib.sha256()
    for name in sorted(parts):
        whole.update(f"{name} {len(parts[name])}\n".encode())
        whole.update(parts[name])
    names = ["./", *sorted(parts)]
    text = _text(files("canao.apps.web") / "page", _OFFLINE)
    text = text.replace('"@version@"', json.dumps(whole.hexdigest()[:16]))
    return text.replace('["@files@"]', json.dumps(names)).encode()


def _text(folder: Traversable, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
