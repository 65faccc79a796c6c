"""Where a debugger for the user's interpreter comes from, when its own environment has none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def debugpy_folder() -> str:
    """The folder that holds debugpy in Playhead's own environment, "" without one. Imports nothing of it."""
    found = find_spec("debugpy")
    return str(Path(found.origin).parent.parent) if found is not None and found.origin else ""
