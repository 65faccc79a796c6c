"""What an open run waits for, as far as its history alone tells; a server's recorded facts are server_blocked.py's."""

from __future__ import annotations

from typing import Final

from engine_bridge.codes import STEP_KINDS
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import text
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.format import duration
from engine_bridge.model import Blocked, Evidence, Provenance, Status, Step, StepKind, StepStatus

_KINDS: Final = {
    StepKind.STEP: "step",
    StepKind.CHILD: "child",
    StepKind.TIMER: "timer",
    StepKind.UPDATE: "step",
    StepKind.SIGNAL_SEND: "signal",
    StepKind.CONTROL: "step",
}
_ORDER: Final = (
    StepKind.STEP,
    StepKind.CHILD,
    StepKind.UPDATE,
    StepKind.SIGNAL_SEND,
    StepKind.CONTROL,
    StepKind.TIMER,
)
_MOST: Final = 200
_LISTED: Final = 8


def blocked(grouper: Grouper, status: Status) -> Blocked:
    """What an open run waits for."""
    if status is Status.PAUSED:
        return _paused(grouper)
    if status is Status.DELAYED:
        return Blocked(
            kind="delay",
            what="its first workflow task",
            provenance=Provenance.RECORDED,
            evidence=_seen(grouper),
        )
    task = _task(grouper)
    if task is not None:
        return task
    steps = [_step(grouper, row) for row in grouper.open_rows()[:_MOST]]
    return _on(steps) if steps else _on_message(grouper)


def now_text(block: Blocked | None, now_ns: int | None) -> str:
    """The list's words for it: "waiting for charge_card for 3 s"."""
    if block is None:
        return ""
    text_ = f"waiting for {block.what}"
    if block.until_ns is not None and now_ns is not None and block.until_ns > now_ns:
        return f"{text_}, due in {duration(block.until_ns - now_ns)}"
    if block.since_ns is not None and now_ns is not None and now_ns > block.since_ns:
        return f"{text_} for {duration(now_ns - block.since_ns)}"
    return text_


def _seen(grouper: Grouper) -> tuple[Evidence, ...]:
    return (Evidence(rule="the record ends here", facts=(f"event {grouper.last_id} is the last one",)),)


def _paused(grouper: Grouper) -> Blocked:
    who, since = "", None
    if grouper.paused is not None:
        event = event_of(grouper.paused)
        since = event.time_ns
        why = text(event.attributes.get("reason"))
        who = f"by {text(event.attributes.get('identity')) or 'somebody'}" + (f": {why}" if why else "")
    return Blocked(
        kind="nothing",
        what=f"paused {who}",
        since_ns=since,
        provenance=Provenance.RECORDED,
        hint="Unpause it to let it go on.",
    )


def _task(grouper: Grouper) -> Blocked | None:
    """A workflow task that nobody has answered: no worker polls, or the code hangs, or it fails again and again."""
    last = grouper.task
    if last is None and grouper.last_id == 1:
        evidence = (
            Evidence(rule="a run begins with a workflow task", facts=("none is in its history so far",)),
        )
        return Blocked(
            kind="queue", what="its first workflow task", since_ns=grouper.last_ns, evidence=evidence
        )
    if last is None or last[0] not in (
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskFailed",
        "WorkflowTaskTimedOut",
    ):
        return None
    type_, id_, time_ns = last
    failed = type_ in ("WorkflowTaskFailed", "WorkflowTaskTimedOut")
    rule = "a scheduled workflow task has to be answered by a worker"
    return Blocked(
        kind="queue",
        what=f"a worker to {'answer' if type_ == 'WorkflowTaskStarted' else 'take'} its workflow task",
        since_ns=time_ns,
        provenance=Provenance.RECORDED,
        evidence=(
            Evidence(rule=rule, facts=(f"event {id_} {type_} is the last word on its workflow task",)),
        ),
        hint="Its workflow task fails: the code cannot go on." if failed else "",
    )


def _step(grouper: Grouper, row: int) -> Step:
    return decode_step(grouper.record(row))


def _on(steps: list[Step]) -> Blocked:
    """Open commands: the run may wait for any of them, or for a message; which one, only its code knows."""
    ordered = sorted(steps, key=lambda step: (_rank(step.kind), step.start_ns or 0))
    first = ordered[0]
    what = first.name if first.kind is not StepKind.TIMER else "a timer"
    others = f" and {len(steps) - 1} more" if len(steps) > 1 else ""
    facts = tuple(_line(step) for step in ordered[:_LISTED])
    more = (f"and {len(steps) - _LISTED} more",) if len(steps) > _LISTED else ()
    return Blocked(
        kind=_KINDS.get(first.kind, "step"),
        what=what + others,
        since_ns=first.start_ns,
        until_ns=first.planned_end_ns,
        ref=first.child,
        step_id=first.id,
        evidence=(Evidence(rule="begun in its history, and not ended there", facts=(*facts, *more)),),
        hint=_hint(first),
    )


def _rank(kind: StepKind) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _line(step: Step) -> str:
    tries = f", attempt {step.attempts}" if step.attempts and step.attempts > 1 else ""
    return f"event {step.id} {step.name}: {step.status.value}{tries}"


def _hint(step: Step) -> str:
    if step.status is StepStatus.RETRYING and step.failure is not None:
        return (
            f"It failed {(step.attempts or 2) - 1} times so far: {step.failure.message or step.failure.type}"
        )
    if step.status is StepStatus.WAITING and step.kind is StepKind.STEP:
        return "The activity is paused: unpause it to let it go on."
    return ""


def _on_message(grouper: Grouper) -> Blocked:
    signals = [
        name
        for name, kind in zip(grouper.step_names, grouper.columns["kind"].tolist(), strict=True)
        if STEP_KINDS[kind] is StepKind.SIGNAL
    ]
    seen = (
        f"it has received {', '.join(dict.fromkeys(signals[-5:]))}"
        if signals
        else "it has received no signal so far"
    )
    since = grouper.task[2] if grouper.task is not None else grouper.last_ns
    return Blocked(
        kind="signal",
        what="a signal or update (name unknown)",
        since_ns=since,
        evidence=(
            Evidence(rule="nothing that it began is open, so only a message can move it", facts=(seen,)),
            *_seen(grouper),
        ),
    )
