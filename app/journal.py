"""Where this user's journal lives, and this process' one handle on it. Qt-free; any thread."""

from __future__ import annotations

import atexit
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine_bridge.actions.journal import Journal


def folder() -> Path:
    """The folder of the journal, its anchor, owner leases and bulk jobs; it may not exist yet."""
    if sys.platform == "linux":
        # What platformdirs answers too; importing it would take a tenth of the start-up budget.
        home = os.environ.get("XDG_DATA_HOME", "").strip() or str(Path("~/.local/share").expanduser())
        return Path(home) / "playhead" / "journal"
    from platformdirs import user_data_path

    return user_data_path("playhead", appauthor=False) / "journal"


def journal() -> Journal:
    """The journal of this process: one owner of intents, however many windows. Creates nothing until it is written."""
    return _journal(folder())


@lru_cache(maxsize=4)
def _journal(place: Path) -> Journal:
    from engine_bridge.actions.journal import Journal

    made = Journal(place)
    atexit.register(made.close)
    return made
