"""The code of the demo's runs: Playhead's own, so that a replay need not ask where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from engine_bridge.replay.model import Project

HOW = "Playhead's own, which runs the demo"


def project_for(url: str) -> Project | None:
    """The project of a source that is a database of the demo; None for all others. Reads files."""
    from app.demo_workspace import MARKER
    from app.demo_worlds import WORLDS
    from engine_bridge.replay.model import Project

    path = Path(unquote(url.partition("://")[2].partition("?")[0]))
    world = next((world for world in WORLDS if world.file == path.name and world.modules), None)
    if world is None or not (path.parent / MARKER).is_file():
        return None
    import resources

    code = str(resources.path().resolve().parent.joinpath(*world.modules[0].split(".")[:-1]))
    return Project(code=code, python=sys.executable, modules=world.modules, paths=(code,), cwd=code)
