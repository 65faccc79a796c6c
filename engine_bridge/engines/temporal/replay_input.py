"""A recorded history as the runner takes it: a line of JSON with what it does not hold, then a serialized ``History``.

Events that are protobuf already go as they are; those of JSON are made protobuf by the API's own schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events import RawEvent, attributes_key
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import mapping, text
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.model import RunRef
from engine_bridge.replay.model import ReplayInput, RunnerSpec

_PARTS: Final = (
    "recorded", "commands", "matching", "contents", "readable", "drifts", "sites", "waits", "jobs", "locally", "walk",
    "around", "ending", "asking", "dropped", "script", "values", "things", "edits", "offers", "answering",
    "onward", "turns",    "instance", "captured", "found", "engine",
)  # fmt: skip
SPEC: Final = RunnerSpec(
    engine="temporal",
    title="Temporal",
    runner="engine_bridge.engines.temporal.replay_parts:" + "+".join(f"{part}.py" for part in _PARTS),
    library="temporalio",
    supported=">=1.8,<2",
    options=(
        "data_converter", "interceptors", "plugins", "workflow_failure_exception_types", "config", "worker_script",
        "sandbox",
    ),
    entry=("worker_script", "temporalio.worker.Worker"),
)  # fmt: skip
_PYTHON: Final = "temporal-python"
_EVENTS_FIELD: Final = b"\x0a"  # field 1, length-delimited: History.events
_COMMANDS: Final = frozenset(
    {
        "ActivityTaskScheduled", "TimerStarted", "TimerCanceled", "MarkerRecorded", "WorkflowExecutionCompleted",
        "WorkflowExecutionFailed", "WorkflowExecutionCanceled", "WorkflowExecutionContinuedAsNew",
        "StartChildWorkflowExecutionInitiated", "SignalExternalWorkflowExecutionInitiated",
    }
)  # fmt: skip
_EVERY: Final = 2_000


def made(
    ref: RunRef,
    records: Sequence[Any],
    cancel: CancelToken,
    *,
    namespace: str = "",
    missing: int = 0,
    notices: Iterable[str] = (),
) -> ReplayInput:
    """The input of a run from the records of its events, in order (as ``events_read.event_of`` takes them).

    Raises UsageError when events are missing, and UnsupportedError for a run that no Python worker made.
    """
    if missing or not records:
        raise UsageError(
            f"{missing:,} events of this history are missing; a replay needs all of them from the first on.",
            "Export the whole history, or open its server.",
        )
    parts: list[bytes] = []
    told = _Told()
    for number, record in enumerate(records):
        if number % _EVERY == 0:
            cancel.progress(number, len(records), "preparing the replay")
            cancel.raise_if_cancelled()
        data = told.take(record)
        parts += (_EVENTS_FIELD, _length(len(data)), data)
    told.check()
    header = {"id": told.workflow_id or ref.group, "run": ref.run, "namespace": namespace}
    return ReplayInput(
        run_id=ref.run,
        name=ref.label,
        type=told.type,
        data=msgspec.json.encode(header) + b"\n" + b"".join(parts),
        version=told.version,
        steps=told.steps,
        notices=(*told.notices(), *notices),
    )


def notices_of(dialect: str) -> Iterable[str]:
    """What is to be known before a file in some dialect is replayed."""
    if "readable" in dialect:
        yield (
            "The payloads of this file were decoded when it was exported. They are made JSON again: a workflow that "
            "takes another kind of them, or a codec that refuses what is not its own, will not replay."
        )


class _Told:
    """What is learnt of a run while its events go by."""

    def __init__(self) -> None:
        self.type = self.workflow_id = self.version = self._sdk = ""
        self.steps = 0
        self._unknown: dict[str, None] = {}

    def take(self, record: Any) -> bytes:
        """One event as protobuf. Raises UsageError when it cannot be one."""
        event = event_of(record)
        self._learn(event)
        raw = record[0] if isinstance(record, tuple) else record
        if isinstance(raw, bytes) and raw[:1] != b"{":
            return raw
        return encoded(event)

    def _learn(self, event: RawEvent) -> None:
        attributes = event.attributes
        if event.type == "WorkflowExecutionStarted":
            self.type = text(mapping(attributes.get("workflowType")).get("name"))
            self.workflow_id = text(attributes.get("workflowId"))
        elif event.type == "WorkflowTaskCompleted":
            self.steps += 1
            self._sdk = text(mapping(attributes.get("sdkMetadata")).get("sdkName")) or self._sdk
            stamp = mapping(attributes.get("workerVersion"))
            self.version = (
                text(stamp.get("buildId")) or text(attributes.get("binaryChecksum")) or self.version
            )
        elif event.type in _COMMANDS:
            self.steps += 1
        if not event.known and not event.more.get("workerMayIgnore"):
            self._unknown[event.type] = None

    def check(self) -> None:
        """Raises what makes a replay impossible."""
        if not self.type:
            raise UsageError(
                "This history does not begin with the start of its run.",
                "A replay needs it from the first event on.",
            )
        if self._sdk and self._sdk != _PYTHON:
            raise UnsupportedError(
                f"This run was made by a worker in another language ({self._sdk}).",
                "Only runs of Python workers can be replayed here.",
            )

    def notices(self) -> Iterable[str]:
        if self._unknown:
            yield f"The replay may not know these events: {', '.join(self._unknown)}."


def encoded(event: RawEvent) -> bytes:
    """An event in normal form as a serialized ``HistoryEvent``. Raises UsageError."""
    from google.protobuf.json_format import ParseDict, ParseError
    from temporalio.api.history.v1 import HistoryEvent

    message = HistoryEvent(event_id=event.id)
    if event.time_ns is not None:
        message.event_time.FromNanoseconds(event.time_ns)
    key = attributes_key(event.type)
    value: dict[str, Any] = {
        "eventType": "EVENT_TYPE_" + _upper(event.type),
        key: event.attributes,
        **event.more,
    }
    try:
        ParseDict(value, message, ignore_unknown_fields=True)
    except ParseError as error:
        raise UsageError(
            f"Event {event.id} ({event.type}) of this history cannot be replayed: it is written in a form that says "
            "less than Temporal's own.",
            "Export it with `temporal workflow show --output json`, without decoding payloads, or open its server.",
            str(error)[:300],
        ) from None
    return message.SerializeToString()


def _upper(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()


def _length(size: int) -> bytes:
    """A protobuf varint."""
    found = bytearray()
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)
