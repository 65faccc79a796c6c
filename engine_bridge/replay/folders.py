"""Where a project begins and what it says of itself, read from its files alone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_MARKERS: Final = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile",
    ".git",
    ".hg",
)
_HIGHEST: Final = 12


def upwards(code: Path) -> Iterator[Path]:
    """The code's folder and those above it, up to its repository's, below the user's home and the root."""
    start = code.resolve()
    folder = start.parent if start.is_file() else start
    stop = {Path.home(), Path(folder.anchor)}
    for number, place in enumerate((folder, *folder.parents)):
        if number and (place in stop or number > _HIGHEST):
            return
        yield place
        if (place / ".git").exists():
            return


def root(code: Path) -> Path:
    """The nearest folder with a project's marker, else the code's own folder."""
    places = list(upwards(code))
    return next((place for place in places if any((place / m).exists() for m in _MARKERS)), places[0])


def pyproject(folder: Path) -> dict[str, Any]:
    """The folder's pyproject.toml; {} when there is none that can be read."""
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def table(content: Any, *names: str) -> dict[str, Any]:
    """A table below others; {} when it is missing or something else."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def text(content: Any, *names: str) -> str:
    """A text below tables; "" when it is missing or something else."""
    value = table(content, *names[:-1]).get(names[-1])
    return value if isinstance(value, str) else ""
