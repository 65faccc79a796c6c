"""The cases that every demo has, whatever chance did: each goes through the engine, or, where it says so, past it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from resources.demo_entities import behaviour
from resources.demo_entities.behaviour import Arrival
from resources.demo_entities.community import Community
from resources.demo_entities.sign_up import bill, sign_up
from resources.demo_entities.tables import INVOICES, USERS
from resources.demo_entities.timeline import Timeline
from resources.demo_entities.use_cases import ARCHIVE_DOWN, ARCHIVE_GONE

ACME = "acme-energy"
STUCK = ("u-48213", "u-48190")
"""Their documents lay in an archive that was shut down: no retry helps, a move does."""
RETRYABLE = "u-48171"
"""Its archive did not answer; it does now, so a retry helps."""
DRIFTED = ("u-47002", "u-47144")
"""Sent back by raw SQL: the history says documents_uploaded."""
BROKEN = "u-46640"
"""Sent on by raw SQL, and then on by the engine: a link of its history is missing."""
ON_HOLD = "u-46871"
"""Put on a status, by raw SQL, that no config knows."""
UNKNOWN = "on_hold"
IDS = frozenset((*STUCK, RETRYABLE, *DRIFTED, BROKEN, ON_HOLD))


def free_id(numbers: Iterable[int]) -> str:
    """The id of a new user: the last of the numbers that no case above has."""
    return [key for key in (f"u-{number}" for number in numbers) if key not in IDS][-1]


def enter(app: Community, timeline: Timeline, end: datetime) -> None:
    """Enters the cases into the timeline."""
    timeline.scripted |= IDS
    days = partial(_before, end)
    for key, came, verified in ((STUCK[0], 6.4, 6.2), (STUCK[1], 6.1, 5.9)):
        _user(app, timeline, key, days(came), days(verified), days(verified - 0.1), archive=ARCHIVE_GONE)
    _user(app, timeline, RETRYABLE, days(4.2), days(4.0), days(3.9), archive=ARCHIVE_DOWN)
    for key, came in zip(DRIFTED, (33.0, 27.5), strict=True):
        _user(app, timeline, key, days(came), days(came - 1), days(came - 1.5), format="pdf")
    _user(app, timeline, BROKEN, days(16.0), days(15.0), None, format="pdf")
    timeline.enter(days(14.0), lambda: _set(app, BROKEN, "pending_approval"))
    timeline.enter(days(13.6), lambda: behaviour.decide(app, _at(BROKEN, "pending_approval")))
    _user(app, timeline, ON_HOLD, days(12.4), days(12.0), None, format="pdf")
    for key, minutes in (("i-20407", 31.0), ("i-20413", 124.0), ("i-20421", 353.0)):
        timeline.scripted.add(key)
        timeline.enter(end - timedelta(minutes=minutes), partial(_strand, app, key))


def by_raw_sql(app: Community) -> None:
    """What somebody did in a SQL console, behind the engine's back: no history row, no version."""
    for key in DRIFTED:
        _set(app, key, "pending_documents")
    paid = sa.select(INVOICES.c.id).where(INVOICES.c.status == "sent").order_by(INVOICES.c.id).limit(4)
    for (key,) in app.rows(paid):
        with app.db.begin() as connection:
            connection.exec_driver_sql("UPDATE invoices SET status = 'paid' WHERE id = ?", (key,))
    _set(app, ON_HOLD, UNKNOWN)


def _before(end: datetime, days: float) -> datetime:
    return end - timedelta(days=days)


def _at(key: str, status: str) -> Arrival:
    return Arrival(0, "registration", key, ACME, status)


def _set(app: Community, key: str, status: str) -> None:
    with app.db.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET status = ? WHERE id = ?", (status, key))


def _user(
    app: Community,
    timeline: Timeline,
    key: str,
    came: datetime,
    verified: datetime,
    uploaded: datetime | None,
    **documents: str,
) -> None:
    timeline.enter(came, lambda: sign_up(app, key, ACME, random.Random(key), **documents))
    timeline.enter(verified, lambda: behaviour.verify(app, _at(key, "pending_email")))
    if uploaded is not None:
        timeline.enter(uploaded, lambda: behaviour.upload(app, _at(key, "pending_documents")))


def _strand(app: Community, key: str) -> None:
    """A mail worker dies while it sends this invoice; its claim stays."""
    owner = app.rows(sa.select(USERS.c.id).where(USERS.c.status == "active", USERS.c.tenant_id == ACME))[0][0]
    bill(app, owner, ACME, key)
    arrival = Arrival(0, "invoice", key, ACME, "draft")
    behaviour.approve(app, arrival)
    app.doomed.add(key)
    behaviour.send(app, arrival._replace(status="approved"))
