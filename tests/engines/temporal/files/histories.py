"""One real history ("kitchen": every kind of step) in every dialect, and the corpus of exported histories."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Parse
from temporalio.api.history.v1 import History as Message

from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_event import decode_event
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.engines.temporal.load import Loaded, load
from engine_bridge.history import History
from engine_bridge.model import RunRef
from engine_bridge.payloads import decode

DATA = Path(__file__).parents[3] / "data" / "temporal"
CORPUS = sorted((DATA / "corpus").glob("*.gz"))
REF = RunRef("workflow", "kitchen", "run")


def dialect(name: str) -> bytes:
    """A recorded dialect of the kitchen: cli.json, cli.jsonl, server_http.json, ui_http.json, ui_raw.json."""
    return gzip.decompress((DATA / "dialects" / f"{name}.gz").read_bytes())


def corpus(part: str) -> bytes:
    """The one file of the corpus whose name holds ``part``."""
    (path,) = [path for path in CORPUS if part in path.name]
    return gzip.decompress(path.read_bytes())


def kitchen() -> dict[str, Any]:
    """The history as the CLI writes it, decoded."""
    found: dict[str, Any] = json.loads(dialect("cli.json"))
    return found


def events() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kitchen()["events"]
    return found


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def walk(value: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    """A JSON value with every object and scalar changed, inside out."""
    if isinstance(value, dict):
        value = {k: walk(v, change, k) for k, v in value.items()}
    elif isinstance(value, list):
        value = [walk(one, change, key) for one in value]
    return change(key, value)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def old_enums() -> bytes:
    """PascalCase enums without prefix, as tctl and the first web UI wrote them."""

    def change(key: str, value: Any) -> Any:
        if key == "eventType":
            return _pascal(value.removeprefix("EVENT_TYPE_"))
        for prefix in (
            "TASK_QUEUE_KIND_",
            "RETRY_STATE_",
            "PARENT_CLOSE_POLICY_",
            "WORKFLOW_ID_REUSE_POLICY_",
        ):
            if isinstance(value, str) and value.startswith(prefix):
                return _pascal(value.removeprefix(prefix))
        return value

    return dumped(walk(kitchen(), change))


def numeric_enums() -> bytes:
    """Event types as numbers."""
    numbers = {event.event_id: event.event_type for event in message().events}
    found = kitchen()
    for event in found["events"]:
        event["eventType"] = int(numbers[int(event["eventId"])])
    return dumped(found)


def readable() -> bytes:
    """The web UI's "human readable" download: payloads as JSON, metadata as text."""

    def change(key: str, value: Any) -> Any:
        if isinstance(value, dict) and "metadata" in value:
            metadata = {k: base64.b64decode(v).decode() for k, v in value["metadata"].items()}
            data = base64.b64decode(value.get("data", ""))
            return {"metadata": metadata, "data": json.loads(data) if data else None}
        return value

    return dumped(walk(kitchen(), change))


def unpadded() -> bytes:
    """Base64 without its padding."""
    return dumped(walk(kitchen(), lambda key, value: value.rstrip("=") if isinstance(value, str) else value))


def protobufjs() -> bytes:
    """Numeric enums, Long, {seconds, nanos}, bytes as objects: what protobufjs' toObject writes."""

    def change(key: str, value: Any) -> Any:
        if isinstance(value, dict) and "metadata" in value:
            both = {k: list(base64.b64decode(v)) for k, v in value["metadata"].items()}
            raw = base64.b64decode(value.get("data", ""))
            return {"metadata": both, "data": {str(i): byte for i, byte in enumerate(raw)}}
        if key.endswith("EventId") or key in ("eventId", "taskId", "version", "historySizeBytes"):
            return {"low": int(value), "high": 0, "unsigned": False} if isinstance(value, str) else value
        if key == "eventTime":
            seconds, nanos = _seconds(value)
            return {
                "seconds": {"low": seconds & 0xFFFFFFFF, "high": seconds >> 32, "unsigned": False},
                "nanos": nanos,
            }
        if (
            isinstance(value, str)
            and re.fullmatch(r"\d+(\.\d+)?s", value)
            and key[:1].islower()
            and key != "data"
        ):
            whole, _, part = value[:-1].partition(".")
            return {
                "seconds": {"low": int(whole), "high": 0},
                "nanos": int(part.ljust(9, "0")) if part else 0,
            }
        return value

    found = walk(kitchen(), change)
    numbers = {event.event_id: event.event_type for event in message().events}
    for event in found["events"]:
        event["eventType"] = int(numbers[event["eventId"]["low"]])
    return dumped(found)


def _seconds(text: str) -> tuple[int, int]:
    from engine_bridge.engines.temporal.events_values import time_ns

    ns = time_ns(text)
    assert ns is not None
    return ns // 1_000_000_000, ns % 1_000_000_000


def message() -> Message:
    """The history as a protobuf message."""
    found = Message()
    Parse(dialect("cli.json"), found)
    return found


def binary() -> bytes:
    return message().SerializeToString()


def raw_pages() -> bytes:
    """The server's HTTP answer with raw pages."""
    whole = message()
    pages = [Message(events=whole.events[:30]), Message(events=whole.events[30:])]
    blobs = [
        {"encodingType": "ENCODING_TYPE_PROTO3", "data": base64.b64encode(p.SerializeToString()).decode()}
        for p in pages
    ]
    return dumped({"rawHistory": blobs, "history": None, "nextPageToken": ""})


def exported() -> bytes:
    """Temporal Cloud's export: WorkflowExecutions of one item."""
    from temporalio.api.export.v1 import WorkflowExecution, WorkflowExecutions

    return WorkflowExecutions(items=[WorkflowExecution(history=message())]).SerializeToString()


def answer() -> bytes:
    """A server's answer, serialized."""
    from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse

    return GetWorkflowExecutionHistoryResponse(history=message()).SerializeToString()


RECORDED = ("cli.json", "cli.jsonl", "server_http.json", "ui_http.json", "ui_raw.json")
DIALECTS: dict[str, Callable[[], bytes]] = {
    **{name: functools.partial(dialect, name) for name in RECORDED},
    "list": lambda: dumped(events()),
    "list of one": lambda: dumped([kitchen()]),
    "newest first": lambda: dumped(events()[::-1]),
    "event lines": lambda: b"\n".join(dumped(event) for event in events()),
    "old enums": old_enums,
    "numeric enums": numeric_enums,
    "readable": readable,
    "unpadded": unpadded,
    "protobufjs": protobufjs,
    "binary": binary,
    "raw pages": raw_pages,
    "cloud export": exported,
    "gzip": lambda: gzip.compress(dialect("cli.json")),
    "gzip binary": lambda: gzip.compress(binary()),
    "UTF-16": lambda: dialect("cli.json").decode().encode("utf-16"),
    "UTF-16 without a mark": lambda: dialect("cli.json").decode().encode("utf-16-be"),
    "gzip twice": lambda: gzip.compress(gzip.compress(binary())),
    "answer": answer,
    "UTF-8 mark": lambda: b"\xef\xbb\xbf" + dialect("cli.json"),
}  # fmt: skip


def one(data: bytes) -> Loaded:
    """The only history in some bytes."""
    (found,) = load(data)
    return found


def grouped(found: Loaded, ref: RunRef = REF) -> History:
    """A history as a bridge hands it over."""
    grouper = Grouper(ref)
    grouper.add(found.heads)
    history = History(decode_event, decode_step)
    history.append(grouper.batch())
    return history


def history_of(data: bytes) -> History:
    return grouped(one(data))


def told(history: History) -> list[tuple[Any, ...]]:
    """All that the steps of a history say, payloads decoded, for comparing dialects."""
    return [
        (
            step.id, step.name, step.kind, step.status, step.start_ns, step.end_ns, step.planned_end_ns,
            step.attempts, step.max_attempts, step.attempt_list, step.failure, step.child, step.parent_step,
            step.detail, _tree(step.input), _tree(step.output), _words(step.attributes),
        )
        for step in history.all_steps()
    ]  # fmt: skip


def _words(attributes: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in attributes.items()}


def _tree(ref: Any) -> Any:
    return None if ref is None else decode(ref.head or b"", ref.encoding).tree
