"""What runs can be filtered by: the server's own search attributes, and those of the namespace."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from engine_bridge.bridge import Cost, Field, FieldType
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.engines.temporal.visibility_leaves import STATUSES
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, Status

_NEWEST: Final = 1_000
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""A name that a filter can write without quotes."""
_VALUES: Final = 200
_TYPES: Final = {
    1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime", 7: "KeywordList",
}  # fmt: skip
_T, _W, _D, _N = FieldType.TEXT, FieldType.TIME, FieldType.DURATION, FieldType.INTEGER
_I, _S, _X = Cost.INDEXED, Cost.SCAN, Cost.DECODED
_FIELDS: Final[tuple[tuple[str, FieldType, str, Cost, str], ...]] = (
    ("status", FieldType.STATUS, "Status", _I, "Engine-neutral status"),
    ("type", _T, "Workflow", _I, "Workflow type"),
    ("id", _T, "Workflow id", _I, "Workflow id, which several runs may share"),
    ("run_id", _T, "Run id", _I, "Id of the one run"),
    ("engine_status", FieldType.STATUS, "Status as recorded", _I, "ExecutionStatus of the server"),
    ("queue", _T, "Task queue", _I, "Task queue of its workflow tasks"),
    ("created", _W, "Created", _I, "StartTime: when the run was created"),
    (
        "started",
        _W,
        "Started",
        _I,
        "ExecutionTime: when its first workflow task was due (start delay, cron, retry)",
    ),
    ("ended", _W, "Ended", _I, "CloseTime"),
    ("duration", _D, "Duration", _I, "From start to end, for closed runs"),
    ("age", _D, "Age", _I, "Since it was created"),
    ("running_for", _D, "Running for", _I, "Since it started, for open runs"),
    ("error", _T, "Error", _X, "Error of the closing event: read run by run"),
    ("parent", _T, "Parent", _I, "Run id of the run that started it"),
    ("schedule", _T, "Schedule", _I, "Schedule that started it"),
    ("version", _T, "Version", _S, "Deployment version or build id"),
    ("priority", _N, "Priority", _S, "Priority key: 1 is the highest"),
    ("history_length", _N, "Events", _S, "Events of its history"),
    ("now", _T, "Now", _X, "What the list says of it: its error, or workflow tasks that keep failing"),
)


def search_attributes(client: Client, cancel: CancelToken) -> dict[str, str]:
    """The custom search attributes of the namespace, name to type; none where they may not be read."""
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    request = ListSearchAttributesRequest(namespace=client.source.namespace)
    try:
        answer = client.call("operator.list_search_attributes", request, cancel)
    except PlayheadError:
        cancel.raise_if_cancelled()
        return {}
    return {name: _TYPES.get(kind, "") for name, kind in sorted(answer.custom_attributes.items())}


def read(lister: Lister, cancel: CancelToken) -> list[Field]:
    """The fields, with the values that the newest runs have."""
    runs = lister.matching("", _NEWEST, cancel)
    seen = _values(runs)
    named = ", ".join(f"{name} ({kind})" for name, kind in lister.known.custom.items())
    doc = "attributes.NAME: search attributes" + (
        f": {named}" if named else "; attributes.memo.KEY: the memo"
    )
    fields = [
        Field(
            name=name,
            type=kind,
            title=title,
            values=seen.get(name, ()),
            cost=cost,
            sortable=name == "created",
            doc=about,
        )
        for name, kind, title, cost, about in _FIELDS
    ]
    memo = {f"memo.{key}" for run in runs for key in run.attributes.get("memo", {}) if _PATH.fullmatch(key)}
    paths = tuple(name for name in lister.known.custom if _PATH.fullmatch(name)) + tuple(
        sorted(memo)[:_VALUES]
    )
    attributes = Field(
        name="attributes", type=FieldType.JSON, title="Attributes", values=paths, cost=_S, doc=doc
    )
    return [*fields, attributes]


def _values(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[Any]] = {
        "type": {run.type for run in runs},
        "queue": {run.queue for run in runs},
        "schedule": {run.schedule for run in runs},
        "version": {run.version for run in runs},
    }
    seen = {
        name: tuple(sorted(value for value in values if value)[:_VALUES]) for name, values in found.items()
    }
    words = [status.value for status in Status if status.value in STATUSES or status is Status.DELAYED]
    return seen | {"status": tuple(words), "engine_status": tuple(STATUSES.values())}
