"""What an app is called: by people, and by Android."""

from __future__ import annotations

import re
from dataclasses import dataclass

from canao.errors import CanaoError

USUAL_PACKAGE = "org.canao.answers"
_LONGEST_NAME, _LONGEST_PACKAGE = 50, 100
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_PUNCTUATION = re.compile(r"[^A-Za-z0-9 ]", re.ASCII)


@dataclass(frozen=True)
class AppNames:
    """The names of an app; `CanaoError` for ones that will not do."""

    name: str
    """What people see below its icon."""
    package: str = USUAL_PACKAGE
    """What Android tells apps apart by, such as org.example.answers."""

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= _LONGEST_NAME or not self.name.isprintable():
            raise CanaoError(
                f"{self.name!r} cannot be the name of an app; give 1 to {_LONGEST_NAME} printable "
                "characters"
            )
        if len(self.package) > _LONGEST_PACKAGE or not _PACKAGE.fullmatch(self.package):
            raise CanaoError(
                f"{self.package!r} cannot be the package of an app; give words of letters, digits "
                f"and underscores with dots between them, such as {USUAL_PACKAGE}, at most "
                f"{_LONGEST_PACKAGE} characters"
            )

    @property
    def resource(self) -> str:
        """The name as the text of a resource of Android, in XML."""
        return resource_text(" ".join(self.name.split()))


def resource_text(text: str) -> str:
    """A text as Android's resources have it: what could mean something there is a number.

    Quotes, backslashes, `@`, `?` and all that XML reads are ASCII's punctuation. Other scripts
    stay as they are.
    """
    return _PUNCTUATION.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if character.isascii() else character
