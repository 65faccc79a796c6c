"""The demo's shop: real workers of both releases execute its past, then it is moved into the last days."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import Final

from app.demo_build import Builder
from app.demo_child import Child
from app.demo_shift import DAYS, RELEASE_DAYS, shift
from app.demo_world import World
from engine_bridge.sqlite_library import sqlite3
from resources.demo.releases import MODULES

PAST_PACE = 0.2
CRASH_PACE = 0.3
CRASHES = 3


class ShopBuilder(Builder):
    """Two releases follow each other; between them three lives of another worker end badly."""

    pace = PAST_PACE
    stages = 2

    def execute(self) -> None:
        """Has the workers execute the past, now."""
        old = self._past("v1", DAYS, RELEASE_DAYS - 1)
        self.until(lambda: old in self.done)
        self._crash_workers()
        new = self._past("v2", RELEASE_DAYS - 1, 0)
        self.until(lambda: not old.alive and not new.alive)

    def finish(self) -> None:
        """Moves it into the last two weeks."""
        self.report(96, "Moving the shop's past into the last two weeks")
        shift(self.database, datetime.now().astimezone())

    def told(self, done: int) -> str:
        """What is being done."""
        return f"The shop's past is being executed: {done} orders and other runs"

    def _past(self, release: str, first: int, last: int) -> Child:
        return self._worker("past", release, "shop-1", self.pace, "--nights", str(first), str(last))

    def _worker(self, mode: str, release: str, executor: str, pace: float, *more: str) -> Child:
        arguments = ("--release", release, "--executor", executor, "--runs", str(self.size), *more)
        return self.spawn(mode, f"{mode}-{release}", pace, *arguments)

    def _crash_workers(self) -> None:
        """Two lives end by a poison pill, the third by us, in the middle of a step."""
        for life in range(1, CRASHES + 1):
            child = self._worker("crash", "v2", "shop-2", CRASH_PACE, "--life", str(life))
            if life == CRASHES:
                self.until(self._victim_is_parsing)
                self.pump(0.4)
                child.kill()
            while child.alive:
                self.pump(0.05)

    def _victim_is_parsing(self) -> bool:
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            found = connection.execute(
                "SELECT 1 FROM operation_outputs"
                " WHERE workflow_uuid LIKE 'import-brandt-%' AND function_name = 'fetch_feed'"
            ).fetchone()
        return found is not None


SHOP: Final = World(
    name="shop",
    file="shop.sqlite",
    module="resources.demo.worker",
    proof="workflow_status",
    address=lambda file: f"dbos+sqlite:///{file}",
    builder=ShopBuilder,
    size=350,
    weight=9.0,
    modules=tuple(f"resources.demo.{name}" for name in (*MODULES, "returns")),
)
