"""Bundled data: fonts, icons, themes, the key map, the demo. ``path`` finds a file of it."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).parent


def path(*parts: str) -> Path:
    """The path of a bundled file or folder."""
    return _ROOT.joinpath(*parts)
