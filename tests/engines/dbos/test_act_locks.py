"""Row locks of PostgreSQL: what still waits for one when its client is killed is not committed later."""

from __future__ import annotations

import base64
import multiprocessing
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from engine_bridge.actions.model import new_request_id
from tests.engines.dbos import act_killed
from tests.engines.dbos.act_tools import ACTIONS, ARGS, Operator, Place
from tests.waiting import until

_NEVER = 1 << 30
SESSION = "SELECT wait_event_type FROM pg_stat_activity WHERE application_name = :name"


def waiting(place: Place, name: str) -> list[str]:
    """What the sessions of a name wait for."""
    return [row[0] for row in place.sql(SESSION, name=name)]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_statement_that_waits_for_a_lock_dies_with_its_client(place: Place, operator: Operator) -> None:
    parent = place.in_state("PENDING", "parent")
    child = place.clone("held-1", f"child of {parent}", parent_workflow_id=parent)
    item, request = operator.plan(parent, "cancel", children=True), new_request_id()
    plan = base64.b64encode(msgspec.msgpack.encode(item)).decode()
    args = (place.url, [request], _NEVER, [plan])
    acting = multiprocessing.get_context("spawn").Process(target=act_killed.execute, args=args)
    with place.engine.begin() as holder:
        lock = f"SELECT 1 FROM {place.schema}workflow_status WHERE workflow_uuid = :id FOR UPDATE"
        holder.execute(sa.text(lock), {"id": child})
        acting.start()
        until(lambda: waiting(place, f"playhead {request}") == ["Lock"])
        acting.kill()
        acting.join()
        assert waiting(place, f"playhead {request}") == ["Lock"]
    until(lambda: not waiting(place, f"playhead {request}"))
    assert (place.status(parent), place.status(child)) == ("CANCELLED", "ENQUEUED")


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_write_is_in_a_transaction_that_its_client_has_to_commit(
    place: Place, operator: Operator, action: str
) -> None:
    state = {"signal": "PENDING", "cancel": "PENDING", "set_delay": "DELAYED"}.get(action, "ERROR")
    run_id = place.in_state("CANCELLED" if action == "resume" else state, f"explicit {action}")
    item = operator.plan(run_id, action, **ARGS.get(action, {}))
    writes: list[bool] = []

    def executing(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            writes.append(connection.connection.dbapi_connection.autocommit)

    engine = operator.actor._engine  # type: ignore[attr-defined]
    sa.event.listen(engine, "before_cursor_execute", executing)
    operator.execute(item)
    sa.event.remove(engine, "before_cursor_execute", executing)
    assert writes and not any(writes)
