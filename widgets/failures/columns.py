"""The columns of the failure log, and of its groups."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.bridge import FailureRow
from engine_bridge.format import count, plain, short_time, timestamp
from engine_bridge.model import Failure
from engine_bridge.payloads import root, short_type
from widgets.failures.groups import FailureGroup
from widgets.failures.sieve import FIELDS
from widgets.table.columns import Clock, Column


def _time(row: FailureRow, clock: Clock) -> str:
    return short_time(row.time_ns, clock.now_ns, clock.zone)


def _time_full(row: FailureRow, clock: Clock) -> str:
    return timestamp(row.time_ns, clock.zone)


def _step(row: FailureRow, clock: Clock) -> str:
    return plain(row.step_name or row.step_id or "")


def _state(row: FailureRow, clock: Clock) -> str:
    return "" if row.resolved is None else "resolved" if row.resolved else "open"


def _state_full(row: FailureRow, clock: Clock) -> str:
    at = row.attributes.get("resolved_ns")
    return f"resolved {timestamp(at, clock.zone)}" if isinstance(at, int) else _state(row, clock)


def _attribute(name: str, title: str, **more: Any) -> Column:
    """A column of what only some logs keep: hidden until a row has it."""

    def text(row: FailureRow, clock: Clock) -> str:
        value = row.attributes.get(name)
        return "" if value is None else plain(str(value))

    return Column(id=name, title=title, text=text, hidden=True, **more)


COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        id="time", title="time", text=_time, full=_time_full, width=156, least=112, kind="muted", code=True
    ),
    Column(
        id="state",
        title="state",
        text=_state,
        full=_state_full,
        width=100,
        least=88,
        hidden=True,
        state=lambda r: "completed" if r.resolved else "failed",
        doc="Whether somebody has settled this failure",
    ),
    Column(
        id="type",
        title="workflow",
        text=lambda r, c: plain(r.run_type),
        width=150,
        least=90,
        value=FIELDS["type"],
    ),
    Column(
        id="run",
        title="run",
        text=lambda r, c: plain(r.ref.label),
        width=210,
        least=110,
        code=True,
        value=FIELDS["run"],
    ),
    Column(
        id="step",
        title="step",
        text=_step,
        width=150,
        least=90,
        value=FIELDS["step"],
        doc="Empty when the run itself failed",
    ),
    Column(
        id="error",
        title="error",
        text=lambda r, c: short_type(root(r.failure)[0].type),
        full=lambda r, c: plain(root(r.failure)[0].type),
        width=210,
        least=120,
        value=FIELDS["error"],
        state=lambda r: "failed",
    ),
    Column(
        id="message",
        title="message",
        text=lambda r, c: _message(r.failure),
        width=240,
        kind="muted",
        stretch=True,
    ),
    _attribute("attempts", "attempts", width=92, least=92, right=True, code=True),
    _attribute("tenant", "tenant", width=120, least=72, value=FIELDS["tenant"]),
    _attribute(
        "correlation_id", "correlation id", width=170, least=90, code=True, value=FIELDS["correlation_id"]
    ),
)
OPTIONAL: Final = frozenset(column.id for column in COLUMNS if column.hidden)


def told_by(row: FailureRow) -> frozenset[str]:
    """Which of the optional columns a row has something to say in."""
    found = {name for name in OPTIONAL if row.attributes.get(name) is not None}
    return frozenset(found | ({"state"} if row.resolved is not None else set()))


def _message(failure: Failure) -> str:
    last, attempts = root(failure)
    return plain(last.message) + ("" if attempts is None else f" · after {attempts} attempts")


def _last(group: FailureGroup, clock: Clock) -> str:
    return short_time(group.last_ns, clock.now_ns, clock.zone)


def _first(group: FailureGroup, clock: Clock) -> str:
    return short_time(group.first_ns, clock.now_ns, clock.zone)


GROUP_COLUMNS: Final[tuple[Column, ...]] = (
    Column(id="count", title="count", text=lambda g, c: count(g.count), width=72, code=True, right=True),
    Column(
        id="open",
        title="open",
        text=lambda g, c: count(g.open),
        width=64,
        code=True,
        right=True,
        hidden=True,
        doc="How many of them nobody has settled yet",
    ),
    Column(
        id="error",
        title="error",
        text=lambda g, c: short_type(g.type),
        full=lambda g, c: plain(g.type),
        width=210,
        least=120,
        state=lambda g: "failed",
    ),
    Column(
        id="message",
        title="message",
        text=lambda g, c: plain(g.message),
        width=240,
        kind="muted",
        stretch=True,
        doc="Numbers and ids that differ between its failures show as #",
    ),
    Column(id="where", title="where", text=lambda g, c: plain(", ".join(g.places)), width=230, least=110),
    Column(id="runs", title="runs", text=lambda g, c: count(g.runs), width=64, code=True, right=True),
    Column(id="first", title="first", text=_first, width=132, least=80, kind="muted", code=True, right=True),
    Column(id="last", title="last", text=_last, width=132, least=80, kind="muted", code=True, right=True),
)
