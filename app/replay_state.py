"""Where the user's projects and consents of replays are kept, for the window and the command line alike. Qt-free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from engine_bridge.errors import PlayheadError

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


def source_key(url: str) -> str:
    """What projects and consents of a source are kept by: one source has one, however its address is written.

    A path, ``~``, ``..``, links and the URL that the engine makes of them come to the same. Reads the file's head.
    """
    from app.opening import source_id

    try:
        scheme, mark, rest = source_id(url).partition("://")
    except PlayheadError:
        return url
    place, query_mark, query = rest.partition("?")
    # The path stands behind one slash or two, by the engine; a server's name stands there without.
    head = "/" if place.startswith("//") else ""
    if place.startswith("/"):
        place = head + quote(os.path.realpath(unquote(place.removeprefix(head))), safe="/:~ ")
    return f"{scheme.lower()}{mark}{place}{query_mark}{query}"
