"""Mails to test with: files as others collected them, and hostile ones made by `zoo`.

The files are data, byte for byte as found, with their licences beside them; SOURCES.md says where from.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_MAIL = {".eml", ".msg", ".txt"}


def corpus() -> list[Path]:
    """Return the paths of all collected mails, in a fixed order."""
    return [
        path
        for path in sorted(_HERE.rglob("*"))
        if path.is_file() and path.suffix in _MAIL and not path.name.startswith("LICENSE")
    ]


def name_of(path: Path) -> str:
    """Return a path as the name of a test case."""
    return path.relative_to(_HERE).as_posix()
