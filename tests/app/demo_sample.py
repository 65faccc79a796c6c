"""One small past for all tests of the demo: executed once in a test run, as it was and as it has been moved."""

from __future__ import annotations

import functools
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.demo_community import COMMUNITY, CommunityBuilder
from app.demo_shift import shift
from app.demo_shop import SHOP, ShopBuilder
from app.demo_workspace import Workspace
from app.demo_worlds import WORLDS
from engine_bridge.sqlite_library import sqlite3

NOW = datetime.now().astimezone()
NOW_MS = int(NOW.timestamp() * 1000)


@dataclass(frozen=True)
class Past:
    """The same database before and after it was moved, and the progress that was reported."""

    folder: Path
    before: Path
    after: Path
    progress: tuple[int, ...]

    def rows(self, sql: str, *, before: bool = False) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.before if before else self.after)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]

    def column(self, sql: str) -> list[Any]:
        return [next(iter(row.values())) for row in self.rows(sql)]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="playhead-demo-")


class _SmallShop(ShopBuilder):
    """About 130 runs: the least that still shows every feature. Keeps what was before it was moved."""

    pace = 0.02

    def finish(self) -> None:
        before = Path(_folder().name) / "before.sqlite"
        with closing(sqlite3.connect(self.database)) as source, closing(sqlite3.connect(before)) as target:
            source.backup(target)
        shift(self.database, NOW)


@functools.cache
def small_past() -> Past:
    """A complete demo in a folder of its own: a small shop, and the community in full."""
    space = Workspace(Path(_folder().name) / "demo", WORLDS)
    assert space.acquire()
    space.clear()
    progress: list[int] = []
    _SmallShop(SHOP, space, lambda percent, _text: progress.append(percent), size=1).run()
    CommunityBuilder(COMMUNITY, space, lambda _percent, _text: None).run()
    space.complete()
    space.release()
    return Past(space.folder, Path(_folder().name) / "before.sqlite", space.file(SHOP), tuple(progress))
