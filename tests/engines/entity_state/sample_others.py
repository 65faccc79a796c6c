"""Sample databases in the shapes of other people's libraries: django-fsm-log, Statesman, a plain column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa

_DJANGO = (
    "CREATE TABLE helpdesk_ticket (id INTEGER PRIMARY KEY, title VARCHAR(80), state VARCHAR(50) NOT NULL, "
    "created {time})",
    "CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username VARCHAR(150) NOT NULL)",
    "CREATE TABLE django_fsm_log_statelog (id INTEGER PRIMARY KEY, timestamp {time} NOT NULL, by_id INTEGER, "
    "source_state VARCHAR(255), state VARCHAR(255) NOT NULL, transition VARCHAR(255) NOT NULL, "
    "content_type_id INTEGER NOT NULL, object_id INTEGER NOT NULL, description TEXT)",
    "CREATE INDEX statelog_object ON django_fsm_log_statelog (content_type_id, object_id)",
    "INSERT INTO auth_user VALUES (1, 'ann'), (2, 'bob')",
)
_STATESMAN = (
    "CREATE TABLE orders (id VARCHAR(40) PRIMARY KEY, created_at {time}, updated_at {time})",
    "CREATE TABLE order_transitions (id INTEGER PRIMARY KEY, from_state VARCHAR(80), to_state VARCHAR(80) NOT NULL, "
    "metadata TEXT, sort_key INTEGER NOT NULL, order_id VARCHAR(40) NOT NULL, most_recent BOOLEAN NOT NULL, "
    "created_at {time} NOT NULL, updated_at {time} NOT NULL)",
    "CREATE UNIQUE INDEX order_sort ON order_transitions (order_id, sort_key)",
    "CREATE UNIQUE INDEX order_recent ON order_transitions (order_id, most_recent) WHERE most_recent",
)
_TICKETS = (("new",), ("new", "open"), ("new", "open", "closed"), ("new", "rejected"))
_ORDERS = ((), ("paid",), ("paid", "shipped", "delivered"), ("failed",), ("paid", "cancelled"))


def _run(connection: sa.Connection, statements: tuple[str, ...]) -> None:
    time = "TIMESTAMP" if connection.dialect.name == "postgresql" else "DATETIME"
    for statement in statements:
        connection.exec_driver_sql(statement.format(time=time))


def _at(base: datetime, minutes: int) -> str:
    # As Django writes it to SQLite: no fraction where there is none.
    return str((base + timedelta(minutes=minutes)).replace(tzinfo=None))


def _base(connection: sa.Connection) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


def django(engine: sa.Engine, count: int = 16) -> None:
    """Tickets 1 … with rows of django-fsm-log, and rows of another model beside them."""
    log = sa.text(
        "INSERT INTO django_fsm_log_statelog VALUES (:id, :at, :by, :from, :to, :step, :model, :object, :why)"
    )
    with engine.begin() as connection:
        _run(connection, _DJANGO)
        base, row = _base(connection), 0
        for ticket in range(1, count + 1):
            way = _TICKETS[ticket % len(_TICKETS)]
            values = {"id": ticket, "title": f"Ticket {ticket}", "state": way[-1], "at": _at(base, ticket)}
            connection.execute(
                sa.text("INSERT INTO helpdesk_ticket VALUES (:id, :title, :state, :at)"), values
            )
            for number, (before, after) in enumerate(pairwise(way)):
                for model in (7, 8):
                    row += 1
                    moved: dict[str, object] = {
                        "id": row,
                        "at": _at(base, ticket + number + 1),
                        "by": 1 + row % 2,
                    }
                    moved |= {
                        "from": before,
                        "to": after if model == 7 else "other",
                        "step": after,
                        "model": model,
                    }
                    connection.execute(log, moved | {"object": ticket, "why": f"order {ticket}"})


def statesman(engine: sa.Engine, count: int = 16) -> None:
    """Orders ``order-001`` … whose latest transition is their state; every fifth has none."""
    log = sa.text(
        "INSERT INTO order_transitions VALUES (:id, :from, :to, :meta, :sort, :order, :recent, :at, :at)"
    )
    with engine.begin() as connection:
        _run(connection, _STATESMAN)
        base, row = _base(connection), 0
        for number in range(1, count + 1):
            id, before = f"order-{number:03d}", "pending"
            values = {"id": id, "at": _at(base, number)}
            connection.execute(sa.text("INSERT INTO orders VALUES (:id, :at, :at)"), values)
            way = _ORDERS[number % len(_ORDERS)]
            for place, after in enumerate(way, 1):
                row += 1
                moved: dict[str, object] = {
                    "id": row,
                    "from": before,
                    "to": after,
                    "sort": place * 10,
                    "order": id,
                }
                moved |= {
                    "recent": place == len(way),
                    "at": _at(base, number + place),
                    "meta": '{"order": 1}',
                }
                connection.execute(log, moved)
                before = after


def plain(engine: sa.Engine, count: int = 16) -> None:
    """Jobs 1 … with a status column, times as milliseconds, and nothing else."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT, made BIGINT)")
        start = int(_base(connection).timestamp() * 1000)
        for job in range(1, count + 1):
            values = {"id": job, "state": ("waiting", "done")[job % 2], "made": start + job * 1000}
            connection.execute(sa.text("INSERT INTO jobs VALUES (:id, :state, :made)"), values)
