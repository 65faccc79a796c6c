"""What the timeline says: bar labels, tooltips, the accessible text of the selection. Pure; plain text only."""

from __future__ import annotations

from datetime import tzinfo

from engine_bridge import format as fmt
from engine_bridge.model import Event, Provenance, Step, StepKind, StepStatus
from engine_bridge.payloads import headline, root
from engine_bridge.steps import GRACE_NS, Flag

_KIND_NOTES = {
    StepKind.CHILD: "child",
    StepKind.SIGNAL_WAIT: "signal",
    StepKind.TIMER: "timer",
    StepKind.RESULT_WAIT: "result",
    StepKind.LOCAL: "local",
    StepKind.SIGNAL_SEND: "send",
    StepKind.EVENT_SET: "event",
    StepKind.STREAM: "stream",
    StepKind.PATCH: "patch",
    StepKind.CONTROL: "control",
    StepKind.SIGNAL: "signal",
    StepKind.UPDATE: "update",
}


def is_moment(kind: StepKind) -> bool:
    """Whether steps of a kind happen at once, so that a glyph shows them."""
    return kind in (
        StepKind.EVENT_SET,
        StepKind.STREAM,
        StepKind.PATCH,
        StepKind.SIGNAL_SEND,
        StepKind.SIGNAL,
    )


def kind_note(kind: StepKind) -> str:
    """The word after a lane's name; empty for plain steps."""
    return _KIND_NOTES.get(kind, "")


def label(step: Step, now_ns: int, status: StepStatus) -> str:
    """What a bar says beside its glyph; ``status`` is the one at the playhead."""
    if status.bad and step.failure is not None:
        last, listed = root(step.failure)
        tries = step.attempts if listed is None else listed
        return fmt.plain((f"{tries} attempts · " if tries and tries > 1 else "") + headline(last), 80)
    if status in (StepStatus.WAITING, StepStatus.SCHEDULED, StepStatus.RUNNING, StepStatus.RETRYING):
        return fmt.plain(_open(step, now_ns, status), 120)
    length = fmt.duration(step.duration_ns)
    if step.duration_ns is not None and step.duration_ns < 0:
        return f"skew {length}"
    if step.child is not None:
        who = step.child.group or step.child.run
        return fmt.plain(" · ".join(part for part in (who, status.value, length) if part), 80)
    return fmt.plain(step.detail, 60) if step.detail else length


def _open(step: Step, now_ns: int, status: StepStatus) -> str:
    stands = step.kind is StepKind.STATUS and step.start_ns is not None
    here = f"here for {fmt.duration(now_ns - (step.start_ns or 0))}" if stands else status.value
    what = step.detail or here
    if step.planned_end_ns is None or step.end_ns is not None:
        return what
    gap = step.planned_end_ns - now_ns
    verb = "fires" if step.kind is StepKind.TIMER else "expires"
    if step.status is StepStatus.RETRYING:
        verb = "next try"
    if gap > 0:
        return f"{what} · {verb} in {fmt.duration(gap)}"
    return f"{what} · due now" if -gap <= GRACE_NS else f"{what} · overdue by {fmt.duration(-gap)}"


def tooltip(step: Step, flags: int, now_ns: int, zone: tzinfo | None) -> str:
    """Several plain lines: name, status, times exact to the ns, attempts, provenance."""
    lines = [fmt.plain(step.name, 200), _status_line(step, flags, now_ns)]
    if step.start_ns is not None:
        lines.append(f"start  {fmt.timestamp(step.start_ns, zone)}")
    if step.end_ns is not None:
        lines.append(f"end    {fmt.timestamp(step.end_ns, zone)}")
    if step.planned_end_ns is not None:
        lines.append(f"planned end  {fmt.timestamp(step.planned_end_ns, zone)}")
    if step.duration_ns is not None:
        lines.append(f"took   {fmt.duration_exact(step.duration_ns)}")
    if step.kind is not StepKind.STATUS:
        lines.append("attempts  not recorded" if step.attempts is None else f"attempts  {step.attempts}")
    if step.failure is not None:
        lines.append(fmt.plain(f"{step.failure.type}: {step.failure.message}", 300))
    lines += notes(step, flags)
    return "\n".join(lines)


def _status_line(step: Step, flags: int, now_ns: int) -> str:
    text = step.status.value.replace("_", " ")
    if flags & Flag.OPEN and step.start_ns is not None:
        text += f" for {fmt.duration(now_ns - step.start_ns)}"
    note = kind_note(step.kind)
    return f"{text} · {note}" if note else text


def notes(step: Step, flags: int) -> list[str]:
    """What the reader must know about how a span was drawn, and where its fields come from."""
    result = []
    if flags & Flag.SKEW:
        result.append("clock skew: its end was recorded before its start")
    if flags & Flag.UNTIMED:
        result.append("start not recorded: placed by order")
    if flags & Flag.NO_END:
        result.append("end not recorded")
    if step.provenance is not Provenance.RECORDED:
        result.append(f"this step is {step.provenance.value}")
    result += [f"{name}: {source.value}" for name, source in step.fields.items()]
    result += [
        fmt.plain(f"evidence: {e.rule}" + "".join(f"; {f}" for f in e.facts), 300) for e in step.evidence
    ]
    return result


def spoken(step: Step, flags: int, position: str) -> str:
    """One line for a screen reader: "charge_card, failed, took 3.0 s, 2 attempts"."""
    parts = [fmt.plain(step.name, 120), step.status.value.replace("_", " ")]
    if step.duration_ns is not None:
        parts.append(f"took {fmt.duration(step.duration_ns)}")
    if step.attempts is not None:
        parts.append(f"{step.attempts} attempts" if step.attempts != 1 else "1 attempt")
    if step.failure is not None:
        parts.append(fmt.plain(f"{step.failure.type}: {step.failure.message}", 160))
    return ", ".join([*parts, *notes(step, flags)[:2], position])


def event_tooltip(event: Event, count: int, zone: tzinfo | None) -> str:
    """Plain lines about a marker; ``count`` is how many stand so near that they share a glyph."""
    lines = [fmt.plain(event.name, 200), f"event {event.position}"]
    if event.time_ns is not None:
        lines.append(fmt.timestamp(event.time_ns, zone))
    if event.detail:
        lines.append(fmt.plain(event.detail, 300))
    if count > 1:
        lines.append(f"and {count - 1} more here")
    return "\n".join(lines)
