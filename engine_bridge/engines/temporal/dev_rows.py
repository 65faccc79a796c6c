"""Rows of the visibility table as ``WorkflowExecutionInfo``: what a server's list would answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from engine_bridge.engines.temporal.dev_query import JOINT

COLUMNS: Final = (
    "workflow_id, run_id, workflow_type_name, start_time, execution_time, status, close_time, history_length, "
    "task_queue, memo, search_attributes, parent_workflow_id, parent_run_id, root_workflow_id, root_run_id, "
    "history_size_bytes, state_transition_count, execution_duration"
)
"""What ``info`` takes, in order."""

_SECOND: Final = 1_000_000_000
_LISTS: Final = frozenset(
    {
        "TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems",
        "TemporalUsedWorkerDeploymentVersions",
    }
)  # fmt: skip
_STATUSES: Final = range(1, 9)


def time_ns(text: Any) -> int | None:
    """A time as columns hold it, in ns: ``2026-11-20 03:18:04.097012+00:00``; None for anything else."""
    if not isinstance(text, str):
        return None
    clock, _, zone = text.partition("+")
    base, _, fraction = clock.partition(".")
    try:
        moment = datetime.strptime(base, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        if zone.strip(":0") or (fraction and not fraction.isdigit()):
            return None
        return int(moment.timestamp()) * _SECOND + int(fraction[:9].ljust(9, "0"))
    except ValueError:
        return None


def stamp(message: Any, name: str, ns: int | None) -> None:
    """Sets a Timestamp field."""
    if ns is not None and ns > 0:
        field = getattr(message, name)
        field.seconds, field.nanos = divmod(ns, _SECOND)


def info(row: Sequence[Any], aliases: Mapping[str, str]) -> Any:
    """A row of COLUMNS; ``aliases`` are the names of custom search attributes, by column."""
    from temporalio.api.workflow.v1 import WorkflowExecutionInfo

    (
        workflow_id,
        run_id,
        type_,
        start,
        execution,
        status,
        close,
        length,
        queue,
        memo,
        attributes,
        *family,
    ) = row
    parent_id, parent_run, root_id, root_run, size, transitions, span = family
    made = WorkflowExecutionInfo(task_queue=_text(queue))
    made.execution.workflow_id, made.execution.run_id = _text(workflow_id), _text(run_id)
    made.type.name = _text(type_)
    made.status = _status(status)
    stamp(made, "start_time", time_ns(start))
    stamp(made, "execution_time", time_ns(execution))
    stamp(made, "close_time", time_ns(close))
    made.history_length, made.history_size_bytes = _number(length), _number(size)
    made.state_transition_count = _number(transitions)
    if span is not None:
        made.execution_duration.FromNanoseconds(_number(span))
    if parent_id:
        made.parent_execution.workflow_id, made.parent_execution.run_id = _text(parent_id), _text(parent_run)
    made.root_execution.workflow_id, made.root_execution.run_id = _text(root_id), _text(root_run)
    _memo(made, memo)
    for name, value in searchable(attributes).items():
        _attribute(made, name, value, aliases)
    return made


def _status(number: Any) -> Any:
    return number if number in _STATUSES else 0


def searchable(text: Any) -> dict[str, Any]:
    """Search attributes by column; {} for what is no JSON object."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _attribute(made: Any, name: str, value: Any, aliases: Mapping[str, str]) -> None:
    listed = name in _LISTS or "KeywordList" in name
    value = value.split(JOINT) if listed and isinstance(value, str) else value
    payload = made.search_attributes.indexed_fields[aliases.get(name, name)]
    payload.metadata["encoding"] = b"json/plain"
    payload.data = json.dumps(value).encode("utf-8", "replace")


def _memo(made: Any, memo: Any) -> None:
    from google.protobuf.message import DecodeError

    if isinstance(memo, bytes) and memo:
        try:
            made.memo.MergeFromString(memo)
        except DecodeError:
            made.memo.Clear()


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return text.encode("utf-8", "replace").decode()


def _number(value: Any) -> int:
    return value if isinstance(value, int) and abs(value) < 2**62 else 0
