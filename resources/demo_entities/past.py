"""The community's past: six weeks, executed by the engine with a clock of ours that leaps from deed to deed."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from resources.demo_entities import behaviour, script
from resources.demo_entities.behaviour import Arrival
from resources.demo_entities.community import TENANTS, Community
from resources.demo_entities.sign_up import sign_up, tenant_of
from resources.demo_entities.tables import INVOICES, USERS
from resources.demo_entities.timeline import Timeline
from resources.demo_entities.use_cases import WorkerDied

DAYS = 42
Progress = Callable[[int, int], None]


class Past:
    """Makes the past up to ``now``. One thread."""

    def __init__(self, database: Path, now: datetime, users: int) -> None:
        self.begin, self.end = now - timedelta(days=DAYS), now
        self.now = self.begin
        self.dice = random.Random(7)
        self.app = Community(database, lambda: self.now, past=True)
        self.timeline = Timeline(self.app)
        self._polls: set[datetime] = set()
        self.app.scheduled = self._poll_after
        self._arrivals(users)
        for day in range(DAYS):
            self._enter_day(self.begin + timedelta(days=day))
        script.enter(self.app, self.timeline, self.end)

    def run(self, progress: Progress) -> None:
        """Does everything that is due by now, in the order of time."""
        shown = -1
        while (due := self.timeline.pop(self.end)) is not None:
            at, deed = due
            self.now = max(self.now, at)
            # As after kill -9: the claim stays.
            with suppress(WorkerDied):
                deed()
            self.timeline.follow()
            percent = int((self.now - self.begin) / (self.end - self.begin) * 100)
            if percent != shown:
                progress(percent, 100)
                shown = percent
        self.now = self.end
        self.app.publish()
        script.by_raw_sql(self.app)
        self.app.db.dispose()

    def _poll_after(self, seconds: float) -> None:
        at = self.now + timedelta(seconds=seconds)
        # On whole minutes, so that what is due at about the same time is one poll.
        at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        if at not in self._polls:
            self._polls.add(at)
            self.timeline.enter(at, self.app.poll)

    def _arrivals(self, users: int) -> None:
        moments = sorted(self._moment() for _ in range(users))
        for at in moments:
            self.timeline.enter(at, self._sign_up)

    def _moment(self) -> datetime:
        while True:
            at = self.begin + (self.end - self.begin) * self.dice.random()
            if self.dice.random() < (1.0 if 7 <= at.astimezone().hour < 22 else 0.1):
                return at

    def _sign_up(self) -> None:
        key = script.free_id(self.app.number(USERS) for _ in range(self.dice.randint(3, 6)))
        tenant = tenant_of(self.dice)
        sign_up(self.app, key, tenant, self.dice)
        self.app.born("registration", key, tenant, "pending_email")

    def _enter_day(self, start: datetime) -> None:
        self.timeline.enter(start + timedelta(hours=9), self.app.publish)
        # Times of day count back from now: no matter when the demo is made, claims of this hour are not swept yet.
        self.timeline.enter(start + timedelta(hours=12), self.app.sweep)
        for tenant in TENANTS:
            self.timeline.enter(start + timedelta(hours=15), partial(self._approve, tenant))
        self.timeline.enter(start + timedelta(hours=self.dice.uniform(8, 18)), self._mend)

    def _approve(self, tenant: str) -> None:
        drafts = self.app.rows(
            sa.select(INVOICES.c.id).where(INVOICES.c.status == "draft", INVOICES.c.tenant_id == tenant)
        )
        old = [key for (key,) in drafts if key not in self.timeline.scripted]
        if old:
            behaviour.approve_all(self.app, tenant, old[:60])
            if self.dice.random() < 0.2:
                # The mail worker that takes it dies of it.
                self.app.doomed.add(self.dice.choice(old))

    def _mend(self) -> None:
        """Now and then an operator looks at what was given up, and moves it on by hand."""
        log = self.app.engine.tables.failures.c
        given_up = sa.select(log.entity_id, log.tenant_id).where(
            log.step_key == "notify_upload",
            log.resolved_at.is_(None),
            log.failed_at < self.now - timedelta(days=3),
        )
        for entity, tenant in self.app.rows(given_up):
            if entity not in self.timeline.scripted and self.dice.random() < 0.25:
                arrival = Arrival(0, "registration", entity, tenant, "pending_documents")
                behaviour.perform(self.app, arrival, behaviour.came_by_mail)
                return


def make(database: Path, users: int, progress: Progress) -> None:
    """Executes the past of a new database."""
    Past(database, datetime.now(UTC), users).run(progress)
