"""Lists of runs by keys: any page in one short read, in several orders; what SQL cannot answer is scanned."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Direction, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.dev_client import DevClient
from engine_bridge.engines.temporal.server_runs import SCAN_S, Lister, Where
from engine_bridge.engines.temporal.visibility import Visibility
from engine_bridge.errors import UsageError
from engine_bridge.model import Run
from engine_bridge.query.ast import Node

SORTABLE: Final = {
    "created": "start_time",
    "ended": "close_time",
    "duration": "execution_duration",
    "type": "workflow_type_name",
    "id": "workflow_id",
    "queue": "task_queue",
    "history_length": "history_length",
}
"""Columns by field. Runs without a value come last; runs with the same one are in the order of their run ids."""
_PLACES: Final = {"start_time": 3, "close_time": 6, "execution_duration": 17, "workflow_type_name": 2,
                  "workflow_id": 0, "task_queue": 8, "history_length": 7}  # fmt: skip
_RUN_ID: Final = 1
_CHUNK: Final = 500


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A gap in a list: beside the row that is named, ``after`` it or before."""

    field: str
    descending: bool
    value: str | int | None
    run_id: str
    after: bool


class DevLister(Lister):
    """Lists the runs of one namespace of a database. Thread-safe."""

    client: DevClient

    def __init__(self, client: DevClient) -> None:
        super().__init__(client, Visibility(client.space.custom, "file"))

    def page(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        """A page in any order of SORTABLE; a filter that SQL cannot answer is scanned, for SCAN_S at most."""
        cancel.raise_if_cancelled()
        where, forward = self.where(query), direction == "forward"
        start = _decoded(cursor, sort)
        scan = _Scan(self, where, sort, start, forward)
        kept, unfinished = scan.collect(limit, cancel)
        full = len(kept) > limit
        edge = kept[limit - 1][0] if full else scan.last
        onward = _cursor(sort, edge, after=forward) if (full or unfinished) and edge is not None else None
        kept = kept[:limit]
        back = _cursor(sort, kept[0][0], after=not forward) if kept else start
        items = self.closings.told([run for _, run in kept], cancel)
        ahead, behind = _encoded(onward), _encoded(back) if start is not None else None
        scanned = where.residual is not None
        return Page(
            items=tuple(items if forward else items[::-1]),
            before=behind if forward else ahead,
            after=ahead if forward else behind,
            searched=scan.searched if scanned else None,
            of=self.total(where.clause, cancel) if scanned else None,
            complete=not unfinished or full,
        )

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        """Cursors before every ``every``-th row."""
        where, column = self.where(query), _column(sort)
        if where.residual is not None:
            rows = [row for part in self.parts(where, sort, cancel) for row, _ in part][::every]
            return [msgspec.json.encode(_cursor(sort, row, after=False)) for row in rows]
        order = _order(column, sort.descending, True)
        found = self.client.lists.select(f'"{column}", run_id', where.clause, f"ORDER BY {order}", (), cancel)
        return [
            msgspec.json.encode(Cursor(sort.field, sort.descending, value, run_id, False))
            for value, run_id in found[:: max(1, every)]
        ]

    def all(self, where: Where, cancel: CancelToken, *, newest: int | None = None) -> Iterator[list[Run]]:
        """The runs that match, newest first, in lists; ``newest`` as in Lister."""
        seen = 0
        for part in self.parts(where, Sort(), cancel):
            yield [run for _, run in part]
            seen += len(part)
            if newest is not None and seen >= newest:
                return

    def parts(self, where: Where, sort: Sort, cancel: CancelToken) -> Iterator[list[tuple[Any, Run]]]:
        """The rows that match with their runs, in order, a short read at a time."""
        scan = _Scan(self, where, sort, None, True)
        while not scan.ended:
            yield scan.more(_CHUNK, cancel)


class _Scan:
    """Goes through a list from a cursor on."""

    def __init__(
        self, lister: DevLister, where: Where, sort: Sort, start: Cursor | None, forward: bool
    ) -> None:
        self._lister, self._where, self._sort, self._forward = lister, where, sort, forward
        self._column = _column(sort)
        self._at = start
        self.last: Any = None
        self.searched = 0
        self.ended = False

    def collect(self, limit: int, cancel: CancelToken) -> tuple[list[tuple[Any, Run]], bool]:
        """One row more than ``limit`` that match, if there are, and whether the scan was broken off."""
        kept: list[tuple[Any, Run]] = []
        exact = self._where.residual is None
        deadline = time.monotonic() + SCAN_S
        while not self.ended and len(kept) <= limit:
            kept += self.more(limit + 1 if exact else _CHUNK, cancel)
            cancel.progress(self.searched, None, "searching runs")
            if not exact and time.monotonic() > deadline:
                break
        return kept, not self.ended and len(kept) <= limit

    def more(self, size: int, cancel: CancelToken) -> list[tuple[Any, Run]]:
        """The next rows that match, with their runs."""
        beyond, params = _beyond(self._column, self._at, self._forward)
        order = _order(self._column, self._sort.descending, self._forward)
        lists, where = self._lister.client.lists, self._where
        rows = lists.ordered(where.clause, beyond, params, order, size, cancel)
        self.ended = len(rows) < size
        self.searched += len(rows)
        if rows:
            self.last = rows[-1]
            self._at = _cursor(self._sort, self.last, after=self._forward)
        runs = self._lister.runs(lists.infos(rows), cancel, errors=where.needs_errors)
        return [(row, run) for row, run in zip(rows, runs, strict=True) if where.matches(run)]


def _column(sort: Sort) -> str:
    column = SORTABLE.get(sort.field)
    if column is None:
        raise UsageError(f"Runs cannot be sorted by {sort.field}.", f"Sortable: {', '.join(SORTABLE)}.")
    return column


def _order(column: str, descending: bool, forward: bool) -> str:
    down = "DESC" if descending is forward else "ASC"
    return f'"{column}" IS NULL {"ASC" if forward else "DESC"}, "{column}" {down}, run_id {down}'


def _beyond(column: str, at: Cursor | None, forward: bool) -> tuple[str, Sequence[Any]]:
    """The condition on rows beyond a gap, going forward or backward."""
    if at is None:
        return "", ()
    sign = "<" if at.descending is forward else ">"
    itself = "=" if at.after is not forward else ""
    if at.value is None:
        clause = f'("{column}" IS NULL AND run_id {sign}{itself} ?)'
        rest = "" if forward else f' OR "{column}" IS NOT NULL'
        return f"AND ({clause}{rest})", (at.run_id,)
    clause = f'"{column}" {sign} ? OR ("{column}" = ? AND run_id {sign}{itself} ?)'
    rest = f' OR "{column}" IS NULL' if forward else ""
    return f"AND ({clause}{rest})", (at.value, at.value, at.run_id)


def _cursor(sort: Sort, row: Any, *, after: bool) -> Cursor:
    return Cursor(sort.field, sort.descending, row[_PLACES[_column(sort)]], row[_RUN_ID], after)


def _encoded(cursor: Cursor | None) -> bytes | None:
    return None if cursor is None else msgspec.json.encode(cursor)


def _decoded(data: bytes | None, sort: Sort) -> Cursor | None:
    """The cursor of some bytes. Raises UsageError when it belongs to another list."""
    if data is None:
        return None
    try:
        cursor = msgspec.json.decode(data, type=Cursor)
    except msgspec.MsgspecError:
        raise UsageError("This place in the list is not valid.", "Start from the top.") from None
    if (cursor.field, cursor.descending) != (sort.field, sort.descending):
        raise UsageError("This place in the list belongs to another order.", "Start from the top.")
    return cursor
