"""Lists from the visibility table: by the server's order for its own questions, by keys for our pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_query, dev_rows
from engine_bridge.engines.temporal.dev_spaces import Space
from engine_bridge.engines.temporal.dev_store import Row, Store
from engine_bridge.errors import UsageError

MOST: Final = 1_000
_TABLE: Final = "executions_visibility"
_CLOSED: Final = "COALESCE(close_time, '9999-12-31 23:59:59+00:00')"
"""What the server's own index on the order of its lists holds."""
_DIVISION: Final = "TemporalNamespaceDivision"
_SCHEDULER: Final = "temporal-sys-scheduler:"
_SCHEDULERS: Final = ("TemporalScheduler", "403648407")
"""Divisions of schedules: of those that are runs, and of those that are CHASM trees (the type, as Temporal 1.32 writes
it), where ``history.enableCHASMSchedulerCreation`` is on."""
_CHASM: Final = "__chasm__"


class Lists:
    """Questions to the visibility of one namespace. Thread-safe."""

    def __init__(self, store: Store, space: Space) -> None:
        self._store = store
        self._space = space

    def where(self, query: str) -> tuple[str, list[Any]]:
        """The condition of a List Filter in this namespace; runs of the system are left out unless asked for."""
        clause, params = dev_query.compile(query, self._space.columns)
        own = "" if _DIVISION in query else f" AND {_DIVISION} IS NULL"
        return f"namespace_id = ?{own}" + (f" AND ({clause})" if clause else ""), [self._space.id, *params]

    def count(self, query: str, cancel: CancelToken) -> int:
        """How many runs match."""
        where, params = self.where(query)
        return int(
            self._store.rows(f"SELECT count(*) FROM {_TABLE} WHERE {where}", params, cancel=cancel)[0][0]
        )

    def select(
        self, what: str, query: str, more: str, params: Sequence[Any], cancel: CancelToken
    ) -> list[Row]:
        """Columns of the runs that match; ``more`` follows the condition, with ``params``."""
        where, own = self.where(query)
        return self._store.rows(
            f"SELECT {what} FROM {_TABLE} WHERE {where} {more}", [*own, *params], cancel=cancel
        )

    def ordered(
        self, query: str, beyond: str, params: Sequence[Any], order: str, limit: int, cancel: CancelToken
    ) -> list[Row]:
        """Rows of ``dev_rows.COLUMNS`` in an order: rows are found by their keys first, which indexes hold."""
        where, own = self.where(query)
        keys = f"SELECT rowid FROM {_TABLE} WHERE {where} {beyond} ORDER BY {order} LIMIT ?"
        statement = f"SELECT {dev_rows.COLUMNS} FROM {_TABLE} WHERE rowid IN ({keys}) ORDER BY {order}"
        return self._store.rows(statement, [*own, *params, limit], cancel=cancel)

    def infos(self, found: Sequence[Row]) -> list[Any]:
        """Rows as ``WorkflowExecutionInfo``."""
        return [dev_rows.info(row, self._space.aliases) for row in found]

    def page(self, query: str, size: int, token: bytes, cancel: CancelToken) -> Any:
        """A ListWorkflowExecutionsResponse: open runs first, then those that closed last."""
        from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsResponse

        limit = max(1, min(size or MOST, MOST))
        beyond, params = _after(token)
        order = f"{_CLOSED} DESC, start_time DESC, run_id"
        found = self.ordered(query, beyond, params, order, limit + 1, cancel)
        answer = ListWorkflowExecutionsResponse(executions=self.infos(found[:limit]))
        if len(found) > limit:
            last = found[limit - 1]
            answer.next_page_token = msgspec.json.encode((last[6], last[3], last[1]))
        return answer

    def schedules(self, cancel: CancelToken) -> list[Any]:
        """``ScheduleListEntry`` of each schedule: what its scheduler, a run or a CHASM tree, keeps in its memo."""
        rows = self._store.rows(
            f"SELECT {dev_rows.COLUMNS} FROM {_TABLE} WHERE namespace_id = ? AND {_DIVISION} IN (?, ?) "
            "AND status = 1 ORDER BY workflow_id",
            [self._space.id, *_SCHEDULERS],
            cancel=cancel,
        )
        return [_schedule(one) for one in self.infos(rows)]


def _after(token: bytes) -> tuple[str, list[Any]]:
    if not token:
        return "", []
    try:
        close, start, run_id = msgspec.json.decode(token, type=tuple[str | None, str, str])
    except msgspec.MsgspecError:
        raise UsageError("This place in the list is not valid.", "Start from the top.") from None
    close = close if close is not None else "9999-12-31 23:59:59+00:00"
    beyond = f"AND {_CLOSED} <= ? AND ({_CLOSED} < ? OR start_time < ? OR (start_time = ? AND run_id > ?))"
    return beyond, [close, close, start, start, run_id]


def _schedule(info: Any) -> Any:
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from temporalio.api.schedule.v1 import ScheduleListEntry

    entry = ScheduleListEntry(schedule_id=info.execution.workflow_id.removeprefix(_SCHEDULER))
    memo = info.memo.fields
    try:
        if _CHASM in memo:
            json_format.Parse(memo[_CHASM].data, entry.info, ignore_unknown_fields=True)
        else:
            entry.info.MergeFromString(memo["ScheduleInfo"].data)
    except (DecodeError, json_format.ParseError):
        entry.info.Clear()
    return entry
