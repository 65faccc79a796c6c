"""An event as the seam shows it, from the record that grouping kept. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine_bridge.codes import EVENT_KINDS, NONE, STEP_STATUSES
from engine_bridge.engines.temporal import payloads
from engine_bridge.engines.temporal.events import Heads, RawEvent
from engine_bridge.engines.temporal.events_heads import fill, update_id
from engine_bridge.engines.temporal.events_markers import local_activity, patch
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import duration_ns, id_of, mapping, positive_ns, text
from engine_bridge.engines.temporal.group_failures import failure, words
from engine_bridge.engines.temporal.group_nexus import callers, started
from engine_bridge.engines.temporal.group_payloads import all_of
from engine_bridge.engines.temporal.group_types import EVENT_KIND, ROLE, STEP_STATUS, Role
from engine_bridge.engines.temporal.group_types import KIND as KIND
from engine_bridge.format import duration
from engine_bridge.model import Event, Failure, RunRef

_RUN, _FOLLOWER = int(Role.RUN), int(Role.FOLLOWER)  # looking into an enumeration is dear
_DEEPEST: Final = 6
_LISTED: Final = 20


def decode_event(record: Any) -> Event:
    """The Event of a record of a Temporal history: (event, name of its step, run), and its step's id if need be."""
    raw, step_name, ref, *step_id = record
    return event_from(event_of(raw), step_name, ref, *step_id)


def event_from(event: RawEvent, step_name: str, ref: RunRef, step_id: str | None = None) -> Event:
    """An event in full; ``step_name`` "" when it belongs to the run; ``step_id`` None: the event names its step."""
    heads = Heads.one()
    fill(heads, 0, event)
    type_ = heads.type[0]
    role = ROLE[type_]
    kind = heads.event[0] if heads.event[0] != NONE else EVENT_KIND[type_]
    status = heads.status[0] if heads.status[0] != NONE else STEP_STATUS[type_]
    step = 0 if role == _RUN else int(heads.link[0]) if role == _FOLLOWER else event.id
    return Event(
        position=event.id,
        kind=EVENT_KINDS[int(kind)],
        name=event.type,
        time_ns=event.time_ns,
        step_id=step_id or (str(step) if role != _RUN else None),
        step_name=step_name or None,
        status=STEP_STATUSES[int(status)] if role != _RUN and status != NONE else None,
        attempt=int(heads.attempt[0]) or None,
        detail=detail(event),
        payloads=all_of(ref, event),
        failure=failure_of(event),
        ref=other_run(event.attributes) or _linked(event),
        attributes=shown(event),
    )


def failure_of(event: RawEvent) -> Failure | None:
    """The failure that an event records; of a started attempt, the failure of the attempt before it."""
    a = event.attributes
    value = (
        a.get("failure")
        or mapping(a.get("outcome")).get("failure")
        or a.get("lastFailure")
        or a.get("continuedFailure")
    )
    found = failure(value, time_ns=event.time_ns)
    if found is None and event.type.endswith("TimedOut"):
        what = words(a.get("timeoutType"), "TIMEOUT_TYPE_")
        return Failure(type=f"TimeoutError ({what})" if what else "TimeoutError", time_ns=event.time_ns)
    if found is None and a.get("cause") and event.type.endswith("Failed"):
        return Failure(type=words(a["cause"], prefix(event.type, "cause")), time_ns=event.time_ns)
    return found


def prefix(type_: str, key: str) -> str:
    """What the names of an enum begin with: the cause of a failure has one by its event's type."""
    if key != "cause":
        return "RETRY_STATE_"
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(type_)).upper() + "_CAUSE_"


def other_run(attributes: dict[str, Any]) -> RunRef | None:
    """The run that an event speaks of: a child, a target, the run that a reset or a continuation made."""
    execution = mapping(attributes.get("workflowExecution") or attributes.get("externalWorkflowExecution"))
    if execution.get("workflowId"):
        return RunRef(KIND, text(execution["workflowId"]), text(execution.get("runId")))
    return None


def _linked(event: RawEvent) -> RunRef | None:
    """The run that a Nexus operation started, or whose operation started this one."""
    if event.type.startswith("NexusOperation"):
        link = started((event,))
        return None if link is None else link.ref
    if "links" in event.more or "completionCallbacks" in event.attributes:
        return next((link.ref for link in callers((event,))), None)
    return None


def summary(event: RawEvent) -> str:
    """What the code says of its own command (``summary=``); "" when it says nothing."""
    value = mapping(event.more.get("userMetadata")).get("summary")
    found = payloads.json_value(payloads.payload(value)) if value is not None else None
    return text(found)


def detail(event: RawEvent) -> str:
    """What an event's line says beside its kind and step."""
    said = summary(event)
    say = _DETAILS.get(event.type, _plain)
    words_ = say(event.attributes)
    return " · ".join(part for part in (said, words_) if part)


def _plain(a: dict[str, Any]) -> str:
    other = other_run(a)
    return "" if other is None else f"workflow {other.group}"


def _scheduled(a: dict[str, Any]) -> str:
    queue = text(mapping(a.get("taskQueue")).get("name"))
    return f"queue {queue}" if queue else ""


def _started_run(a: dict[str, Any]) -> str:
    name = text(mapping(a.get("workflowType")).get("name"))
    if a.get("continuedExecutionRunId"):
        name += f" · continues {a['continuedExecutionRunId']}"
    backoff = positive_ns(a.get("firstWorkflowTaskBackoff"))
    return name + (f" · waits {duration(backoff)} first" if backoff else "")


def _task_failed(a: dict[str, Any]) -> str:
    cause = words(a.get("cause"), "WORKFLOW_TASK_FAILED_CAUSE_")
    return f"{cause} · from run {a['baseRunId']}" if a.get("baseRunId") else cause


def _marker(a: dict[str, Any]) -> str:
    details = mapping(a.get("details"))
    name = text(a.get("markerName"))
    if name in ("core_patch", "Version"):
        _, version = patch(details)
        return version if version == "deprecated" or not version else f"version {version}"
    if "ctivity" not in name:
        return ""
    facts = local_activity(details)
    said = f"attempt {facts.attempt}" if facts.attempt and facts.attempt > 1 else ""
    again = f"tried again after {duration(facts.backoff_ns)}" if facts.backoff_ns else ""
    return " · ".join(part for part in (said, again) if part)


def _signal(a: dict[str, Any]) -> str:
    sender = other_run(a)
    return f"from workflow {sender.group}" if sender else ""


def _continued(a: dict[str, Any]) -> str:
    why = words(a.get("initiator"), "CONTINUE_AS_NEW_INITIATOR_")
    wait = positive_ns(a.get("backoffStartInterval"))
    parts = [f"as run {text(a.get('newExecutionRunId'))}", why if why != "workflow" else ""]
    return " · ".join(part for part in (*parts, f"after {duration(wait)}" if wait else "") if part)


def _modified(a: dict[str, Any]) -> str:
    fields = mapping(
        mapping(a.get("searchAttributes")).get("indexedFields")
        or mapping(a.get("upsertedMemo")).get("fields")
    )
    return ", ".join(
        f"{name} = {payloads.json_value(payloads.payload(one))}" for name, one in list(fields.items())[:6]
    )


def _timer(a: dict[str, Any]) -> str:
    wait = duration_ns(a.get("startToFireTimeout"))
    return f"for {duration(wait)}" if wait is not None else ""


def _cancel_asked(a: dict[str, Any]) -> str:
    cause, sender = text(a.get("cause")), other_run(a)
    return " · ".join(part for part in (cause, f"from workflow {sender.group}" if sender else "") if part)


_DETAILS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "WorkflowExecutionStarted": _started_run,
    "WorkflowTaskScheduled": _scheduled,
    "WorkflowTaskFailed": _task_failed,
    "ActivityTaskScheduled": _scheduled,
    "MarkerRecorded": _marker,
    "WorkflowExecutionSignaled": _signal,
    "WorkflowExecutionContinuedAsNew": _continued,
    "WorkflowExecutionCancelRequested": _cancel_asked,
    "UpsertWorkflowSearchAttributes": _modified,
    "WorkflowPropertiesModified": _modified,
    "TimerStarted": _timer,
    "WorkflowExecutionUpdateAccepted": lambda a: f"update {update_id(a)}",
    "NexusOperationScheduled": lambda a: f"endpoint {text(a.get('endpoint'))}",
    "StartChildWorkflowExecutionInitiated": lambda a: text(a.get("workflowId")),
}


def shown(event: RawEvent) -> dict[str, Any]:
    """The attributes that are no payloads and no failures, flat, in the order of the record."""
    found: dict[str, Any] = {}
    _flatten(event.attributes, "", found, 0)
    _flatten({k: v for k, v in event.more.items() if k != "userMetadata"}, "", found, 0)
    return found


_HIDDEN: Final = frozenset(
    {"input", "result", "details", "header", "memo", "failure", "lastFailure", "continuedFailure", "outcome"}
    | {"lastCompletionResult", "prevAutoResetPoints", "upsertedMemo", "searchAttributes", "encodedAttributes"}
)


def _flatten(value: dict[str, Any], prefix: str, found: dict[str, Any], depth: int) -> None:
    for key, one in value.items():
        name = f"{prefix}{key}"
        if isinstance(one, str):
            if one and one != "0s" and (not key.endswith("EventId") or id_of(one)):
                found[name] = one
        elif key in _HIDDEN or one is None or one in ({}, []):
            continue
        elif isinstance(one, dict):
            inner = one if set(one) != {"name"} else {}
            if not inner:
                found[name] = one["name"]
            elif depth < _DEEPEST:
                _flatten(inner, f"{name}.", found, depth + 1)
        elif isinstance(one, list):
            _list(one, name, found, depth)
        elif key.endswith("EventId") and not id_of(one):
            continue
        else:
            found[name] = int(one) if isinstance(one, float) and one.is_integer() else one


def _list(values: list[Any], name: str, found: dict[str, Any], depth: int) -> None:
    """Texts on one line; messages each with its number, where there are several."""
    plain = [str(one) for one in values[:_LISTED] if not isinstance(one, dict)]
    if plain:
        found[name] = ", ".join(plain)
    messages = [one for one in values[:_LISTED] if isinstance(one, dict)]
    for number, one in enumerate(messages, 1):
        if depth < _DEEPEST:
            _flatten(one, f"{name} {number}." if len(messages) > 1 else f"{name}.", found, depth + 1)
