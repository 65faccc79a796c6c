"""The columns of the runs table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from engine_bridge.format import ago, duration, duration_exact, plain, short_time, timestamp
from engine_bridge.model import Run, Status
from widgets.table.columns import Clock, Column


def duration_of(run: Run, now_ns: int) -> int | None:
    """Nanoseconds from start to end, or to now while the run is open; None before it started."""
    if run.started_ns is None:
        return None
    if run.ended_ns is not None:
        return run.ended_ns - run.started_ns
    return None if run.status.closed else now_ns - run.started_ns


def now_or_why(run: Run, clock: Clock) -> str:
    """What an operator came to read: what an open run does or waits for, why a closed one ended so."""
    if run.bad:
        return plain(f"cannot be read whole: {run.bad}")
    text = run.now or _blocked(run, clock) or run.error or _delay(run, clock)
    return plain(text)


def _blocked(run: Run, clock: Clock) -> str:
    blocked = run.blocked_on
    if blocked is None or run.status.closed:
        return ""
    parts = [f"waiting for {blocked.what}" if blocked.kind != "nothing" else blocked.what]
    if blocked.since_ns is not None:
        parts.append(f"since {short_time(blocked.since_ns, clock.now_ns, clock.zone)}")
    if blocked.until_ns is not None:
        verb = "expired" if blocked.until_ns <= clock.now_ns else "expires"
        parts.append(f"{verb} {ago(blocked.until_ns, clock.now_ns)}")
    return " · ".join(parts)


def _delay(run: Run, clock: Clock) -> str:
    if run.status is Status.DELAYED and run.delay_until_ns is not None:
        return f"starts {ago(run.delay_until_ns, clock.now_ns)}"
    if run.status is Status.QUEUED and run.queue:
        return f"in queue {run.queue}"
    return ""


def _status(run: Run, clock: Clock) -> str:
    return run.status.value.replace("_", " ")


def _status_full(run: Run, clock: Clock) -> str:
    return plain(f"{_status(run, clock)} (recorded as {run.engine_status})")


def _duration(run: Run, clock: Clock) -> str:
    return duration(duration_of(run, clock.now_ns))


def _duration_full(run: Run, clock: Clock) -> str:
    exact = duration_exact(duration_of(run, clock.now_ns))
    return f"{exact}, still open" if exact and run.ended_ns is None else exact


def _steps(run: Run, clock: Clock) -> str:
    return "" if run.steps_done is None else str(run.steps_done)


def _time(name: str, title: str, *, field: str = "", hidden: bool = False, doc: str = "") -> Column:
    def text(run: Run, clock: Clock) -> str:
        return short_time(getattr(run, f"{name}_ns"), clock.now_ns, clock.zone)

    def full(run: Run, clock: Clock) -> str:
        return timestamp(getattr(run, f"{name}_ns"), clock.zone)

    return Column(
        id=name, title=title, text=text, full=full, width=128, least=104, kind="muted", code=True, right=True,
        hidden=hidden, field=field, value=lambda run: getattr(run, f"{name}_ns"), doc=doc,
    )  # fmt: skip


def _plain(name: str, title: str, *, width: int = 110, code: bool = False, doc: str = "") -> Column:
    def get(run: Run) -> Any:
        return getattr(run, name)

    return Column(
        id=name, title=title, text=_shown(get), width=width, code=code, hidden=True,
        field=name, value=get, doc=doc,
    )  # fmt: skip


def _shown(get: Callable[[Run], Any]) -> Callable[[Run, Clock], str]:
    def text(run: Run, clock: Clock) -> str:
        value = get(run)
        return "" if value is None else plain(str(value))

    return text


COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        id="status", title="status", text=_status, full=_status_full, width=124, least=100, field="status",
        value=lambda run: run.status.value, state=lambda run: run.status,
    ),
    Column(
        id="type", title="workflow", text=lambda r, c: plain(r.type), width=150, least=90, field="type",
        value=lambda run: run.type,
    ),
    Column(
        id="id", title="run", text=lambda r, c: plain(r.id + r.ref.place), width=250, least=112, code=True, field="id",
        value=lambda run: run.id,
    ),
    Column(
        id="now", title="now, or why", text=now_or_why, width=320, kind="muted", stretch=True, live=True,
        field="error", value=lambda run: run.error,
        doc="What an open run does or waits for; why a closed one ended as it did",
    ),
    _time("created", "created", field="created", doc="When the run was submitted"),
    _time("started", "started", field="started", hidden=True, doc="When it first began to work"),
    Column(
        id="duration", title="duration", text=_duration, full=_duration_full, width=92, least=90, code=True, right=True,
        live=True, field="duration", value=lambda run: run.duration_ns, doc="Start to end; open runs: until now",
    ),
    Column(
        id="steps", title="steps", text=_steps, width=60, least=48, kind="muted", code=True, right=True, field="steps",
        value=lambda run: run.steps_done, doc="Steps that have a recorded result",
    ),
    _time("ended", "ended", field="ended", hidden=True),
    _plain("queue", "queue"),
    _plain("partition", "partition"),
    _plain("priority", "priority", width=70),
    _plain("worker", "worker", width=160, code=True),
    _plain("version", "version", code=True),
    _plain("attempts", "attempts", width=76, doc="Tries of the whole run, where the engine counts them"),
    _plain("dispatches", "dispatches", width=84, doc="How often it was handed to a worker; not a count of tries"),
    _plain("schedule", "schedule"),
    _plain("parent", "parent", width=220, code=True),
    _plain("engine_status", "recorded status", width=140, code=True),
)  # fmt: skip


def attribute_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of searchable attributes, by their paths behind ``attributes.``; hidden until they are chosen."""
    return tuple(_attribute(name) for name in names)


def _attribute(path: str) -> Column:
    parts = path.split(".")

    def get(run: Run) -> Any:
        found: Any = run.attributes
        for part in parts:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def text(run: Run, clock: Clock) -> str:
        value = get(run)
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return "" if value is None else plain(shown)

    name = f"attributes.{path}"
    return Column(
        id=name, title=path, text=text, width=120, least=72, hidden=True, field=name, value=get,
        doc="A searchable attribute of the run",
    )  # fmt: skip
