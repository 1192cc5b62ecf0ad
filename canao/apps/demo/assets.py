"""The files of the page: read once, by names that are fixed here; no request names a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from types import MappingProxyType

from fastapi import FastAPI, Response

_HTML, _CSS, _SVG = "text/html", "text/css", "image/svg+xml"
_SCRIPT = "text/javascript"

ASSETS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "/": ("index.html", _HTML),
        "/style.css": ("style.css", _CSS),
        "/icon.svg": ("icon.svg", _SVG),
        **{
            f"/{name}.js": (f"{name}.js", _SCRIPT)
            for name in (
                "main",
                "server",
                "spans",
                "examples",
                "answering",
                "passage",
                "files",
                "writing",
                "timings",
                "models",
            )
        },
    }
)
"""Path of the request: name of the file, and its type."""


def serve_assets(app: FastAPI) -> None:
    """Let an application answer with the page and what it loads."""
    folder = files("canao.apps.demo") / "page"
    for path, (name, kind) in ASSETS.items():
        app.get(path, include_in_schema=False)(_asset((folder / name).read_bytes(), kind))


def _asset(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def asset() -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return asset
