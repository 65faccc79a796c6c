"""Which commit of its config was in force when an entity moved: inferred from commit times."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.engine.errors import UnknownWorkflowError
from engine_bridge.engines.entity_state.history_rows import MoveRow, Story
from engine_bridge.engines.entity_state.revisions_git import Commit, commits

FACT: Final = "config"
"""The fact of a move that names the commit: an abbreviated id and its subject."""

IN_FORCE: Final = (
    "the newest commit of its config files before the move, by commit time; what ran may have differed"
)
_FRESH_S: Final = 60.0
_WAIT_S: Final = 1.0
_SUBJECT: Final = 80


class _Known:
    """Commits of files, for a minute: a history is read again and again while somebody looks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[Path, tuple[float, tuple[Commit, ...]]] = {}

    def of(self, path: Path, cancel: CancelToken) -> tuple[Commit, ...]:
        with self._lock:
            at, known = self._found.get(path, (0.0, ()))
            if time.monotonic() - at < _FRESH_S and at:
                return known
        # Also what takes too long counts as unknown for a minute: nobody waits for git to read a history.
        found = commits(path, cancel, _WAIT_S)
        with self._lock:
            self._found[path] = (time.monotonic(), found)
        return found

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


KNOWN: Final = _Known()


def in_force(story: Story, catalogue: Catalogue | None, tenant: str | None, cancel: CancelToken) -> Story:
    """The story, each move with the newest commit of its config files before it, where git knows one."""
    if catalogue is None or not story.moves:
        return story
    try:
        files = catalogue.get(story.ref.group, tenant).files
    except UnknownWorkflowError:
        return story
    known = [commit for file in files for commit in KNOWN.of(Path(file), cancel)]
    known.sort(key=lambda commit: commit.time_ns, reverse=True)
    if known:
        story.moves = [_marked(move, known) for move in story.moves]
    return story


def _marked(move: MoveRow, known: list[Commit]) -> MoveRow:
    at = move.at_ns
    found = None if at is None else next((commit for commit in known if commit.time_ns <= at), None)
    if found is None:
        return move
    return replace(move, facts={**move.facts, FACT: f"{found.id[:10]} {found.subject[:_SUBJECT]}".strip()})
