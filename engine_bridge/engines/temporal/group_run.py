"""The header of a run, from its history (and from what a server knows of it besides)."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.engines.temporal import payloads
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import integer, mapping, positive_ns, text, time_ns
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_blocked import blocked, now_text
from engine_bridge.engines.temporal.group_event import KIND, failure_of
from engine_bridge.engines.temporal.group_failures import said, words
from engine_bridge.engines.temporal.group_payloads import reference
from engine_bridge.model import Failure, Provenance, Run, RunRef, Status, StepKind

ENGINE: Final = "temporal"
CLOSED: Final[dict[str, tuple[Status, str]]] = {
    "WorkflowExecutionCompleted": (Status.COMPLETED, "Completed"),
    "WorkflowExecutionFailed": (Status.FAILED, "Failed"),
    "WorkflowExecutionTimedOut": (Status.TIMED_OUT, "TimedOut"),
    "WorkflowExecutionCanceled": (Status.CANCELLED, "Canceled"),
    "WorkflowExecutionTerminated": (Status.TERMINATED, "Terminated"),
    "WorkflowExecutionContinuedAsNew": (Status.CONTINUED, "ContinuedAsNew"),
}
_WORK: Final = (StepKind.STEP, StepKind.LOCAL, StepKind.CHILD, StepKind.UPDATE)
_SYSTEM: Final = frozenset(
    {"TemporalScheduledById", "TemporalScheduledStartTime", "TemporalChangeVersion", "BuildIds"}
)


def identity(first: RawEvent | None, reset: RawEvent | None, fallback: str) -> RunRef:
    """The run that a history is of. A run made by a reset keeps its first event, and names itself in the reset.

    ``fallback`` stands for an id that the history does not hold.
    """
    a: dict[str, Any] = {} if first is None else first.attributes
    run = text(mapping(None if reset is None else reset.attributes).get("newRunId"))
    return RunRef(
        KIND, text(a.get("workflowId")) or fallback, run or text(a.get("originalExecutionRunId")) or fallback
    )


def header(grouper: Grouper, now_ns: int | None = None) -> Run:
    """The run as its history has it. ``now_ns`` is the engine's clock, where there is one."""
    first = _opening(grouper)
    a: dict[str, Any] = {} if first is None else first.attributes
    closing = None if grouper.closing is None else event_of(grouper.closing)
    created = None if first is None else first.time_ns
    wait = positive_ns(a.get("firstWorkflowTaskBackoff")) or 0
    status, word = _status(grouper, closing, wait)
    found = _failure(closing)
    now = now_ns if now_ns is not None else grouper.last_ns
    block = None if status.closed else blocked(grouper, status)
    return Run(
        ref=grouper.ref,
        id=grouper.ref.group,
        type=text(mapping(a.get("workflowType")).get("name")),
        status=status,
        engine_status=word,
        engine=ENGINE,
        created_ns=created,
        # A delay may be cut short by a signal: then the run has begun before its planned time.
        started_ns=created if not wait else grouper.began_ns,
        ended_ns=None if closing is None else closing.time_ns,
        updated_ns=grouper.last_ns,
        deadline_ns=_deadline(a, created, wait),
        delay_until_ns=created + wait if created is not None and wait else None,
        parent=_execution(a.get("parentWorkflowExecution")),
        forked_from=_reset_from(grouper),
        queue=text(mapping(a.get("taskQueue")).get("name")) or None,
        priority=integer(mapping(a.get("priority")).get("priorityKey")),
        version=_version(grouper),
        schedule=_searchable(a).get("TemporalScheduledById"),
        attempts=integer(a.get("attempt")),
        steps_done=grouper.ended(*_WORK),
        now=said(found) if found else now_text(block, now),
        error=said(found) if found else None,
        failure=found,
        blocked_on=block,
        input=None if first is None else reference(grouper.ref, first, "input", "input"),
        output=None if closing is None else reference(grouper.ref, closing, "result", "output"),
        attributes=_attributes(a),
        extra=_extra(grouper, a, closing),
        provenance={} if first is not None else {"type": Provenance.INFERRED},
    )


def _opening(grouper: Grouper) -> RawEvent | None:
    first = None if grouper.first is None else event_of(grouper.first)
    return first if first is not None and first.type == "WorkflowExecutionStarted" else None


def _status(grouper: Grouper, closing: RawEvent | None, wait: int) -> tuple[Status, str]:
    if closing is not None:
        return CLOSED.get(closing.type, (Status.UNKNOWN, closing.type))
    if grouper.paused is not None:
        return Status.PAUSED, "Paused"
    # Nothing but its beginning: a start delay, a cron schedule or a retry's back-off is not over.
    return (Status.DELAYED, "Running") if wait and grouper.task is None else (Status.RUNNING, "Running")


def _failure(closing: RawEvent | None) -> Failure | None:
    if closing is None or closing.type not in (
        "WorkflowExecutionFailed",
        "WorkflowExecutionTimedOut",
        "WorkflowExecutionTerminated",
    ):
        return None
    a = closing.attributes
    if closing.type == "WorkflowExecutionTerminated":
        by = text(a.get("identity"))
        why = text(a.get("reason")) or "no reason given"
        return Failure(type="Terminated", message=f"{why} · by {by}" if by else why, time_ns=closing.time_ns)
    found = failure_of(closing)
    if closing.type == "WorkflowExecutionTimedOut":
        return Failure(
            type="WorkflowTimeout",
            message="the run took longer than it may",
            code=words(a.get("retryState"), "RETRY_STATE_") or None,
            time_ns=closing.time_ns,
        )
    return found or Failure(type="", message="no failure is recorded", time_ns=closing.time_ns)


def _deadline(a: dict[str, Any], created: int | None, wait: int) -> int | None:
    whole = time_ns(a.get("workflowExecutionExpirationTime"))
    one = positive_ns(a.get("workflowRunTimeout"))
    ends = [end for end in (whole, created + wait + one if created is not None and one else None) if end]
    return min(ends, default=None)


def _execution(value: Any) -> RunRef | None:
    one = mapping(value)
    return (
        RunRef(KIND, text(one.get("workflowId")), text(one.get("runId"))) if one.get("workflowId") else None
    )


def _reset_from(grouper: Grouper) -> RunRef | None:
    base = "" if grouper.reset is None else text(event_of(grouper.reset).attributes.get("baseRunId"))
    return RunRef(KIND, grouper.ref.group, base) if base else None


def _version(grouper: Grouper) -> str | None:
    a = {} if grouper.answered is None else event_of(grouper.answered).attributes
    deployed = mapping(a.get("deploymentVersion"))
    if deployed.get("buildId"):
        return f"{text(deployed.get('deploymentName'))}:{text(deployed.get('buildId'))}".lstrip(":")
    worker = mapping(a.get("workerVersion"))
    return text(worker.get("buildId")) or text(a.get("binaryChecksum")) or None


def _searchable(a: dict[str, Any]) -> dict[str, Any]:
    fields = mapping(mapping(a.get("searchAttributes")).get("indexedFields"))
    return {name: payloads.json_value(payloads.payload(value)) for name, value in fields.items()}


def _attributes(a: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in _searchable(a).items() if name not in _SYSTEM}
    memo = {
        name: _memo(payloads.payload(value))
        for name, value in mapping(mapping(a.get("memo")).get("fields")).items()
    }
    return {**own, **({"memo": memo} if memo else {})}


def _memo(one: payloads.Stored) -> Any:
    return f"({one.opaque})" if one.opaque else payloads.json_value(one)


def _extra(grouper: Grouper, a: dict[str, Any], closing: RawEvent | None) -> dict[str, Any]:
    end = {} if closing is None else closing.attributes
    sdk = mapping({} if grouper.greeted is None else event_of(grouper.greeted).attributes.get("sdkMetadata"))
    system = _searchable(a)
    root = _execution(a.get("rootWorkflowExecution"))
    found = {
        "run_id": grouper.ref.run,
        "history_length": grouper.last_id,
        "started by": text(a.get("identity")),
        "sdk": f"{text(sdk.get('sdkName'))} {text(sdk.get('sdkVersion'))}".strip(),
        "continues run": text(a.get("continuedExecutionRunId")),
        "first_run_id": text(a.get("firstExecutionRunId")),
        "initiator": words(a.get("initiator"), "CONTINUE_AS_NEW_INITIATOR_"),
        "continued as run": text(end.get("newExecutionRunId")),
        "cron": text(a.get("cronSchedule")),
        "scheduled_for": system.get("TemporalScheduledStartTime"),
        "root": None if root is None or root.run == grouper.ref.run else root.group,
        "ended by": text(end.get("identity")),
    }
    return {name: value for name, value in found.items() if value}
