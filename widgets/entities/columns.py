"""The columns of the entities list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from engine_bridge.format import day, duration, duration_exact, moment, plain, short_time, timestamp
from engine_bridge.model import Provenance, Run, RunRef
from widgets.runs.columns import now_or_why
from widgets.table.columns import Clock, Column

CHECK: Final = "check"
_TICK_NS: Final = 2_000_000_000


def stands_since(run: Run) -> int | None:
    """Since when an entity stands on its status, nanoseconds UTC; None where nothing tells."""
    since = run.extra.get("since_ns")
    if isinstance(since, int):
        return since
    if run.blocked_on is not None and run.blocked_on.since_ns is not None:
        return run.blocked_on.since_ns
    return run.updated_ns


def _here_for(run: Run, clock: Clock) -> int | None:
    """Never below zero: the list's clock ticks once a second, and rows come between two ticks."""
    since = stands_since(run)
    return None if since is None else max(0, clock.now_ns - since)


def _ahead(since_ns: int | None, clock: Clock) -> str:
    """What is told of a row from the future of the source's clock."""
    early = 0 if since_ns is None else since_ns - clock.now_ns
    return f" ({duration(early)} ahead of the source's clock)" if early > _TICK_NS else ""


def _tone(run: Run) -> str:
    """The colour of the why: a failure, something not right, or nothing special."""
    if run.bad or run.error or run.failure is not None:
        return "failed"
    odd = run.evidence or run.provenance.get("now") in (Provenance.INFERRED, Provenance.REBUILT)
    return "retrying" if odd else "muted"


def _tenant(run: Run) -> str:
    value = run.attributes.get("tenant", run.extra.get("tenant"))
    return "" if value is None else str(value)


def _brief(ns: int | None, clock: Clock) -> str:
    """Time of day when it is today, the day otherwise: a narrow column, whose tooltip has it all."""
    at, now = moment(ns, clock.zone), moment(clock.now_ns, clock.zone)
    if at is None or now is None or at.date() == now.date():
        return short_time(ns, clock.now_ns, clock.zone)
    return day(ns, clock.zone) + (f" {at.year}" if at.year != now.year else "")


def _time(name: str, title: str, *, hidden: bool = False, doc: str = "") -> Column:
    def text(run: Run, clock: Clock) -> str:
        return _brief(getattr(run, f"{name}_ns"), clock)

    def full(run: Run, clock: Clock) -> str:
        return timestamp(getattr(run, f"{name}_ns"), clock.zone)

    return Column(
        id=name, title=title, text=text, full=full, width=96, least=72, kind="muted", code=True, right=True,
        hidden=hidden, field=name, value=lambda run: getattr(run, f"{name}_ns"), doc=doc,
    )  # fmt: skip


def _extra(name: str, title: str, get: Callable[[Run], Any], *, width: int = 110, doc: str = "") -> Column:
    def text(run: Run, clock: Clock) -> str:
        value = get(run)
        return "" if value is None else plain(str(value))

    return Column(
        id=name, title=title, text=text, width=width, code=True, hidden=True, field=name, value=get, doc=doc
    )


def columns(staged: Mapping[RunRef, str]) -> tuple[Column, ...]:
    """The list's columns; ``staged`` maps entities to where staged moves take them, as it is while painting."""

    def target(run: Run) -> str:
        to = staged.get(run.ref)
        return f"→ {plain(to, 80)}" if to else ""

    def here(run: Run, clock: Clock) -> str:
        return duration(_here_for(run, clock))

    def here_exact(run: Run, clock: Clock) -> str:
        since = stands_since(run)
        told = f", since {timestamp(since, clock.zone)}" if since is not None else ""
        return duration_exact(_here_for(run, clock)) + told + _ahead(since, clock)

    return (
        Column(id=CHECK, title="", text=lambda r, c: "", width=32, check=True, doc="Selected rows (Space)"),
        Column(
            id="id", title="entity", text=lambda r, c: plain(r.id), width=128, least=76, code=True, field="id",
            value=lambda run: run.id,
        ),
        Column(
            id="state", title="status", text=lambda r, c: plain(r.engine_status), width=260, least=200,
            field="state", value=lambda run: run.engine_status, tail=target,
            doc="The entity's own status, and where a staged move takes it",
        ),
        Column(
            id="here_for", title="here for", text=here, full=here_exact, width=92, least=88, code=True, right=True,
            live=True, field="here_for", doc="How long it has stood on this status",
        ),
        Column(
            id="now", title="why", text=now_or_why, width=320, kind="muted", stretch=True, live=True, tone=_tone,
            doc="Why it stands there",
        ),
        Column(
            id="tenant", title="tenant", text=lambda r, c: plain(_tenant(r)), width=104, least=60, kind="muted",
            code=True, field="tenant", value=lambda run: _tenant(run) or None,
        ),
        Column(
            id="version", title="version", text=lambda r, c: plain(r.version or ""), width=66, least=56, kind="muted",
            code=True, right=True, field="version", value=_version,
            doc="The entity's version: a move is refused where it has changed",
        ),
        _time("updated", "updated", doc="When its row was last changed"),
        _time("created", "created", hidden=True),
        _extra("claimed_by", "claimed by", lambda run: run.worker, width=140),
        _extra("correlation_id", "correlation id", lambda run: run.attributes.get("correlation_id"), width=160),
        _extra("label", "label", lambda run: run.attributes.get("label", run.extra.get("label")), width=160),
    )  # fmt: skip


def _version(run: Run) -> int | str | None:
    text = run.version or ""
    return int(text) if text.isdigit() else run.version
