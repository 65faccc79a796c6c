"""The columns of the failure log, and of its groups."""

from __future__ import annotations

from typing import Final

from engine_bridge.bridge import FailureRow
from engine_bridge.format import count, plain, short_time, timestamp
from engine_bridge.model import Failure
from engine_bridge.payloads import root, short_type
from widgets.failures.groups import FailureGroup
from widgets.table.columns import Clock, Column


def _time(row: FailureRow, clock: Clock) -> str:
    return short_time(row.time_ns, clock.now_ns, clock.zone)


def _time_full(row: FailureRow, clock: Clock) -> str:
    return timestamp(row.time_ns, clock.zone)


def _step(row: FailureRow, clock: Clock) -> str:
    return plain(row.step_name or row.step_id or "")


COLUMNS: Final[tuple[Column, ...]] = (
    Column(id="time", title="time", text=_time, full=_time_full, width=156, kind="muted", code=True),
    Column(
        id="type", title="workflow", text=lambda r, c: plain(r.run_type), width=150, least=90, field="type"
    ),
    Column(
        id="run",
        title="run",
        text=lambda r, c: plain(str(r.ref)),
        width=210,
        least=110,
        code=True,
        field="id",
    ),
    Column(id="step", title="step", text=_step, width=150, least=90, doc="Empty when the run itself failed"),
    Column(
        id="error",
        title="error",
        text=lambda r, c: short_type(root(r.failure)[0].type),
        full=lambda r, c: plain(root(r.failure)[0].type),
        width=210,
        least=120,
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
)


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
        id="error",
        title="error",
        text=lambda g, c: short_type(g.type),
        full=lambda g, c: plain(g.type),
        width=210,
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
    Column(id="where", title="where", text=lambda g, c: plain(", ".join(g.places)), width=230),
    Column(id="runs", title="runs", text=lambda g, c: count(g.runs), width=64, code=True, right=True),
    Column(id="first", title="first", text=_first, width=132, kind="muted", code=True, right=True),
    Column(id="last", title="last", text=_last, width=132, kind="muted", code=True, right=True),
)
