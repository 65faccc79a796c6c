"""The people and programs around the community: what somebody does, sooner or later, with what has come to a status."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine.errors import EngineError
from resources.demo_entities.community import RETRY_S, Community
from resources.demo_entities.sign_up import bill
from resources.demo_entities.tables import INVOICES, USERS

REVIEWERS = ("ines", "tomas", "yuki")
ENTITIES = {"registration": USERS, "invoice": INVOICES}
HOUR = 3600.0
Span = tuple[float, float]


class Arrival(NamedTuple):
    """An entity has come to a status, by the history row of this number (0: it is new); somebody may wait for it."""

    number: int
    kind: str
    entity: str
    tenant: str
    status: str
    awaited: bool = False


Act = Callable[[Community, Arrival], None]


class Habit(NamedTuple):
    """Of a hundred, so many are dealt with so: after so many hours in the past, or seconds while one watches."""

    share: int
    hours: Span
    seconds: Span
    act: Act


def habit_of(app: Community, arrival: Arrival) -> tuple[float, Act] | None:
    """What will be done about it, and in how many seconds; None: nothing, it stays."""
    dice = random.Random(f"{arrival.number}/{arrival.entity}")
    habits = HABITS.get((arrival.kind, arrival.status), ())
    roll = 0 if arrival.awaited else dice.randrange(100)
    for habit in habits:
        roll -= habit.share
        if roll < 0:
            return _delay(app, habit, dice), habit.act
    return None


def _delay(app: Community, habit: Habit, dice: random.Random) -> float:
    if app.past:
        return dice.uniform(*habit.hours) * HOUR
    return dice.uniform(*habit.seconds) * app.pace


def perform(app: Community, arrival: Arrival, act: Act) -> bool:
    """Acts, if the entity still stands where it stood; False where it did not, or the engine said no."""
    table = ENTITIES[arrival.kind]
    now = app.rows(sa.select(table.c.status).where(table.c.id == arrival.entity))
    if not now or now[0][0] != arrival.status:
        return False
    try:
        act(app, arrival)
    except EngineError:
        # Somebody else was first, or nothing applies: its log has said so.
        return False
    return True


def verify(app: Community, a: Arrival) -> None:
    profile = _profile(app, a)
    with app.acting(a.kind, "user", a.tenant, a.entity) as workflow:
        workflow.execute_step(a.entity, data={"code": profile["code"], "partner": profile["partner"]})


def go_on(app: Community, a: Arrival) -> None:
    """The user fills in what was missing; staff of a partner is activated by an admin."""
    profile = _profile(app, a)
    if profile["partner"]:
        with app.acting(a.kind, "admin", a.tenant, _reviewer(a)) as workflow:
            workflow.execute_step(a.entity, data={"partner": True})
        return
    app.update(USERS, a.entity, profile=profile | {"complete": True})
    with app.acting(a.kind, "user", a.tenant, a.entity) as workflow:
        workflow.execute_step(a.entity, data={"partner": False})


def upload(app: Community, a: Arrival) -> None:
    app.later(a.kind, a.entity, a.tenant, "document-store", 0, "notify_upload", a.status)


def by_admin(app: Community, a: Arrival) -> None:
    """An override: documents waived, an invoice cancelled or written off."""
    with app.acting(a.kind, "admin", a.tenant, _reviewer(a)) as workflow:
        workflow.execute_step(a.entity)


def check(app: Community, a: Arrival) -> None:
    app.later(a.kind, a.entity, a.tenant, "virus-scanner", 0, "check_documents", a.status)


def decide(app: Community, a: Arrival) -> None:
    """The risk desk's program lets low risks pass; a human looks at the others."""
    program = int(str(_profile(app, a)["risk"])) < 20
    requester, name = ("system", "risk-desk") if program else ("admin", _reviewer(a))
    with app.acting(a.kind, requester, a.tenant, name) as workflow:
        workflow.execute_step(a.entity)


def send_back(app: Community, a: Arrival) -> None:
    """No config declares this move: it is made by hand, and seen in the graph all the same."""
    _move(app, a, _reviewer(a), "pending_documents", "the passport has expired", "send_back")


def came_by_mail(app: Community, a: Arrival) -> None:
    """What an operator does about an upload that was given up."""
    _move(app, a, "ops", "pending_approval", "documents received by mail", "operator_move")


def _move(app: Community, a: Arrival, name: str, to: str, reason: str, step: str) -> None:
    with app.acting(a.kind, "admin", a.tenant, name) as workflow:
        row = workflow.read(workflow.attempt(None, None), a.entity)
        workflow.move(a.entity, to, reason, seen=(row.status, row.version), step=step)


def draft(app: Community, a: Arrival) -> None:
    user = a.entity if a.kind == "registration" else _owner(app, a)
    bill(app, user, a.tenant)


def approve(app: Community, a: Arrival) -> None:
    with app.acting(a.kind, "user", a.tenant, "clerk") as workflow:
        workflow.execute_step(a.entity)


def approve_all(app: Community, tenant: str, invoices: list[str]) -> None:
    """The clerk's batch at the end of a day."""
    with app.acting("invoice", "user", tenant, "clerk") as workflow:
        workflow.execute_batch(invoices)


def send(app: Community, a: Arrival) -> None:
    """A mail worker sends it; what the mail server refuses is tried again later."""
    mailer = f"mailer-{random.Random(a.entity).randint(1, 3)}"
    with app.acting(a.kind, "system", a.tenant, mailer) as workflow:
        outcome = workflow.execute_step(a.entity, step="send")
    if outcome.kind == "stopped":
        app.later(a.kind, a.entity, a.tenant, "mailer-1", RETRY_S, "send", a.status)


def bank(app: Community, a: Arrival) -> None:
    """The bank's statement shows the money. It is read twice now and then, which does no harm."""
    with app.acting(a.kind, "system", a.tenant, "bank") as workflow:
        for _ in range(1 + (a.number % 10 == 0)):
            workflow.observe(a.entity, "paid", observation=f"statement-{a.number}")


def card(app: Community, a: Arrival) -> None:
    with app.acting(a.kind, "user", a.tenant, _owner(app, a)) as workflow:
        workflow.execute_step(a.entity)


def _profile(app: Community, a: Arrival) -> dict[str, object]:
    return dict(app.rows(sa.select(USERS.c.profile).where(USERS.c.id == a.entity))[0][0])


def _owner(app: Community, a: Arrival) -> str:
    return str(app.rows(sa.select(INVOICES.c.user_id).where(INVOICES.c.id == a.entity))[0][0])


def _reviewer(a: Arrival) -> str:
    return random.Random(a.entity).choice(REVIEWERS)


HABITS: dict[tuple[str, str], tuple[Habit, ...]] = {
    ("registration", "pending_email"): (Habit(87, (0.1, 20), (3, 9), verify),),
    ("registration", "email_verified"): (Habit(70, (4, 60), (8, 20), go_on),),
    ("registration", "pending_documents"): (
        Habit(82, (2, 90), (6, 18), upload),
        Habit(3, (30, 80), (20, 40), by_admin),
    ),
    ("registration", "documents_uploaded"): (Habit(100, (0.1, 0.3), (2, 4), check),),
    ("registration", "pending_approval"): (
        Habit(88, (1, 40), (2, 4), decide),
        Habit(7, (3, 30), (4, 8), send_back),
    ),
    ("registration", "active"): (Habit(90, (12, 120), (4, 9), draft),),
    ("invoice", "draft"): (Habit(30, (1, 20), (3, 7), approve), Habit(60, (90, 99), (3, 7), approve)),
    ("invoice", "approved"): (Habit(95, (0.05, 2), (2, 5), send), Habit(2, (5, 20), (10, 20), by_admin)),
    ("invoice", "sent"): (Habit(62, (60, 300), (8, 25), bank), Habit(12, (24, 200), (6, 15), card)),
    ("invoice", "overdue"): (Habit(55, (24, 140), (8, 25), bank), Habit(12, (100, 300), (30, 60), by_admin)),
    ("invoice", "paid"): (Habit(80, (100, 300), (90, 200), draft),),
}
