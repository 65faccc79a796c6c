"""Resources that a database holds: schedules, task queues with their backlogs, search attributes, namespaces."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal import server_resources
from engine_bridge.engines.temporal.dev_runs import DevLister
from engine_bridge.errors import UsageError
from engine_bridge.query.text import quote

KINDS: Final = ("schedules", "task queues", "search attributes", "namespaces")
_QUEUES: Final = "task queues"
_NORMAL: Final = 1
_KINDS: Final = {1: "workflow", 2: "activity", 3: "nexus"}


def read(lister: DevLister, kind: str, has_queues: list[str], cancel: CancelToken) -> list[Resource]:
    """The resources of a kind; ``has_queues`` are the tables of task queues. Raises UsageError."""
    if kind not in KINDS:
        raise UsageError(f"There are no {kind}.", f"Known: {', '.join(KINDS)}.")
    if kind == _QUEUES:
        return _queues(lister, has_queues, cancel)
    found = server_resources.read(lister, kind, cancel)
    return _counted(lister, found) if kind == "namespaces" else found


def _counted(lister: DevLister, found: list[Resource]) -> list[Resource]:
    runs = {space.name: space.runs for space in lister.client.spaces}
    return [
        Resource(kind=one.kind, id=one.id, title=one.title, cells=one.cells | {"runs": runs.get(one.id)})
        for one in found
    ]


@dataclass
class _Queue:
    backlog: Counter[str]
    updated_ns: int | None = None


def _queues(lister: DevLister, tables: list[str], cancel: CancelToken) -> list[Resource]:
    """The task queues of the namespace, partitions summed; pollers are known to a running server only."""
    found: dict[str, _Queue] = {}
    for table in tables:
        for (data,) in lister.client.store.rows(f"SELECT data FROM {table}", cancel=cancel):
            _add(found, lister.client.space.id, data)
    select = lister.client.lists.select
    for name, _ in select("task_queue, count(*)", "", "GROUP BY 1", (), cancel):
        found.setdefault(str(name), _Queue(Counter()))
    open_: dict[Any, Any] = dict(
        select("task_queue, count(*)", "ExecutionStatus = 'Running'", "GROUP BY 1", (), cancel)
    )
    return [_resource(name, found[name], int(open_.get(name, 0))) for name in sorted(found) if name]


def _add(found: dict[str, _Queue], namespace: str, data: Any) -> None:
    from google.protobuf.message import DecodeError

    try:
        record = messages.parse("Queue", data)
    except DecodeError:
        return
    if record.namespace_id != namespace or record.kind != _NORMAL:
        return
    # A partition is called /_sys/NAME/3.
    name = record.name.removeprefix("/_sys/").rpartition("/")[0] if record.name.startswith("/_sys/") else ""
    queue = found.setdefault(name or record.name, _Queue(Counter()))
    queue.backlog[_KINDS.get(record.task_type, "other")] += max(record.backlog, 0)
    if record.last_update_time:
        queue.updated_ns = max(queue.updated_ns or 0, _stamp(record.last_update_time))


def _stamp(data: bytes) -> int:
    from google.protobuf.message import DecodeError
    from google.protobuf.timestamp_pb2 import Timestamp

    try:
        stamp = Timestamp.FromString(data)
    except DecodeError:
        return 0
    return stamp.seconds * 1_000_000_000 + stamp.nanos


def _resource(name: str, queue: _Queue, open_runs: int) -> Resource:
    cells: dict[str, Any] = {"open_runs": open_runs}
    for kind in ("workflow", "activity"):
        cells[f"{kind}_backlog"] = queue.backlog.get(kind, 0)
    cells["updated_ns"] = queue.updated_ns
    return Resource(kind=_QUEUES, id=name, title=name, cells=cells, filter=f"queue == {quote(name)}")
