"""The code of the demo's and the samples' runs: Playhead's own, so that a replay need not ask where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from engine_bridge.replay.model import Project

HOW = "Playhead's own"


def project_for(url: str) -> Project | None:
    """The project of a source that is a database of the demo, or a sample; None for all others. Reads files."""
    from app.demo_workspace import MARKER
    from app.demo_worlds import WORLDS
    from engine_bridge.replay.model import Project

    path = Path(unquote(url.partition("://")[2].partition("?")[0]) if "://" in url else url).expanduser()
    world = next((world for world in WORLDS if world.file == path.name and world.modules), None)
    if world is None or not (path.parent / MARKER).is_file():
        return _sample(path)
    import resources

    code = str(resources.path().resolve().parent.joinpath(*world.modules[0].split(".")[:-1]))
    return Project(code=code, python=sys.executable, modules=world.modules, paths=(code,), cwd=code)


def _sample(path: Path) -> Project | None:
    """The code that stands beside a history of our samples."""
    import resources
    from engine_bridge.replay.model import Project
    from engine_bridge.replay.modules import modules_of

    samples, path = resources.path().resolve() / "samples", path.resolve()
    if samples not in path.parents or not path.exists():
        return None
    code = samples / path.relative_to(samples).parts[0]
    if not code.is_dir():
        return None
    return Project(
        code=str(code),
        python=sys.executable,
        modules=modules_of(code).modules,
        paths=(str(code),),
        cwd=str(code),
    )
