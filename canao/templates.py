"""Pages of HTML from templates."""

from __future__ import annotations

from typing import Any


def render(package: str, template: str, contents: dict[str, Any]) -> str:
    """The text of a template that lies in a package.

    All that comes from outside (names, reasons, emitted text) is escaped; a value that a template
    asks for and `contents` lacks is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**contents)
