"""Where the user's projects and consents of replays are kept, for the window and the command line alike. Qt-free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine_bridge.replay.consent import Consents


def folder() -> Path:
    """The folder of the user's state; it may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("playhead", appauthor=False) / "replay"


def consents() -> Consents:
    """What the user agreed to run."""
    from engine_bridge.replay.consent import Consents

    return Consents(folder() / "consents.json")


def projects_file() -> Path:
    """The file of engine_bridge.replay.project's save_project, load_project and last_project."""
    return folder() / "projects.json"
