"""The community's present: people arrive at human speed for as long as somebody watches, fewer as time passes."""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine.logs import LOGGER, JsonLines
from resources.demo_entities import script, unknown
from resources.demo_entities.community import Community
from resources.demo_entities.sign_up import sign_up, tenant_of
from resources.demo_entities.tables import INVOICES, USERS
from resources.demo_entities.timeline import Deed, Timeline
from resources.demo_entities.use_cases import WorkerDied

HANDS = 4
FIRST_GAPS = (0.2, 1.0, 1.5, 2.0, 2.5)
# Seconds between arrivals once so many have come: a window left open over night does not drown in users.
GAPS = ((120, 6.0), (500, 20.0), (1_500, 90.0))
RARELY = 900.0
RESUMED = timedelta(minutes=2)
"""What happened so short a time ago is taken up again: a worker that was killed may have left it."""
MANY_DEAD = 6
"""Dead claims beyond this many are swept; fewer wait for the janitor's night."""
DOOM_S = 90.0


def serve(database: Path, pace: float) -> None:
    """Plays the community; never returns."""
    _log()
    Live(database, pace).run()


class Live:
    """One life of the worker."""

    def __init__(self, database: Path, pace: float) -> None:
        held = unknown.set_aside(database)
        self.app = Community(database, lambda: datetime.now(UTC), past=False, pace=pace)
        unknown.put_back(self.app, held)
        self.pace = pace
        self.dice = random.Random()
        self.timeline = Timeline(self.app)
        self.timeline.awaited |= script.IDS
        self.timeline.start_at(datetime.now(UTC) - RESUMED)
        self.hands = ThreadPoolExecutor(HANDS, "hand")

    def run(self) -> None:
        """Lets users arrive, and things be done when they are due."""
        threading.Thread(target=self._programs, name="programs", daemon=True).start()
        arrived, next_at, doom_at = 0, 0.0, time.monotonic() + DOOM_S / 3 * self.pace
        while True:
            if time.monotonic() >= next_at:
                self._sign_up()
                next_at = time.monotonic() + _gap(arrived) * self.dice.uniform(0.6, 1.4) * self.pace
                arrived += 1
            if time.monotonic() >= doom_at:
                self._doom()
                doom_at = time.monotonic() + DOOM_S * self.pace
            self.timeline.follow()
            while (due := self.timeline.pop(datetime.now(UTC))) is not None:
                self.hands.submit(_do, due[1])
            time.sleep(0.2 * self.pace)

    def _programs(self) -> None:
        """The poller, the publisher and the janitor: what no person does."""
        turn = 0
        while True:
            _do(self.app.poll)
            _do(self.app.publish)
            if turn % 60 == 0 and self._dead() > MANY_DEAD:
                _do(partial(self.app.sweep, 1))
            turn += 1
            time.sleep(0.5 * self.pace)

    def _dead(self) -> int:
        claimed = INVOICES.c.claimed_at < datetime.now(UTC) - timedelta(seconds=120)
        return int(self.app.rows(sa.select(sa.func.count()).where(claimed))[0][0])

    def _sign_up(self) -> None:
        key, tenant = f"u-{self.app.number(USERS)}", tenant_of(self.dice)
        sign_up(self.app, key, tenant, self.dice)
        self.app.born("registration", key, tenant, "pending_email")

    def _doom(self) -> None:
        """The mail worker that takes the next invoice dies of it, unless enough have."""
        waiting = self.app.rows(sa.select(INVOICES.c.id).where(INVOICES.c.status == "draft"))
        if waiting and self._dead() < MANY_DEAD:
            self.app.doomed.add(waiting[-1][0])


def _do(deed: Deed) -> None:
    try:
        deed()
    except WorkerDied:
        logging.getLogger("community").warning("a mail worker died in the middle of its work")
    except Exception:
        logging.getLogger("community").exception("nobody expected this")


def _gap(arrived: int) -> float:
    if arrived < len(FIRST_GAPS):
        return FIRST_GAPS[arrived]
    return next((gap for limit, gap in GAPS if arrived < limit), RARELY)


def _log() -> None:
    """One JSON line for each step, on standard error: the demo keeps it in its logs."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    LOGGER.setLevel(logging.INFO)
