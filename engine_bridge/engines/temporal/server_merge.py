"""The newest runs below a place, merged of the server's two lists.

Open runs come by their start, the newest first; closed ones by their end, the last first. No run starts after its end:
once a closed run has ended before the oldest run that is wanted, no closed run behind it is wanted either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client, pages
from engine_bridge.engines.temporal.server_places import Key, Place, key_of, listing
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.engines.temporal.visibility_leaves import moment

OPEN: Final = "CloseTime is null"
CLOSED: Final = "CloseTime is not null"
_SPARE: Final = 20
"""Rows asked for beyond those wanted: those of the last moment may not be all there."""
_DEAR: Final = 4
"""So many times the wanted runs are read of the closed ones, until they are looked for otherwise."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Runs in order, the newest first; whether there are no others."""

    rows: list[Any]
    last: bool


class Merge:
    """Reads about ``want`` runs a call."""

    def __init__(self, client: Client, clause: str, want: int, cancel: CancelToken) -> None:
        self._client = client
        self._clause = clause
        self._want = want
        self._cancel = cancel

    def older(self, start: Place | None) -> Merged | None:
        """The newest runs below a place (None: of all); None when merging does not pay, or the lists are in other
        orders."""
        found = self._open(start)
        if found is None:
            return None
        rows, floor = found
        return self._with_closed(start, rows, floor)

    def _below(self, start: Place | None) -> str:
        return "" if start is None else f"StartTime <= {moment(start.key[0])}"

    def _open(self, start: Place | None) -> tuple[list[Any], int] | None:
        """Open runs, and the time after which these are all (0: they are all)."""
        request = listing(self._client, joined((OPEN, self._below(start), self._clause)), self._want + _SPARE)
        rows: list[Any] = []
        for answer in pages(self._client, "list_workflow_executions", request, self._cancel):
            rows += answer.executions
            times = [key_of(info)[0] for info in rows]
            if times != sorted(times, reverse=True):
                return None
            below = [info for info in rows if start is None or start.has(key_of(info), newer=False)]
            if not answer.next_page_token:
                return below, 0
            if len(rows) > self._want * _DEAR:
                return None
            whole = [info for info in below if key_of(info)[0] > times[-1]]
            if len(whole) >= self._want:
                return whole, times[-1]
        return None

    def _with_closed(self, start: Place | None, rows: list[Any], floor: int) -> Merged | None:
        """With the closed runs that started after ``floor``, of as many as are wanted."""
        found = {key_of(info): info for info in rows}
        read, until = 0, ""
        while read <= self._want * _DEAR:
            above = f"StartTime > {moment(floor)}" if floor else ""
            clause = joined((CLOSED, above, until, self._below(start), self._clause))
            answer = self._client.call(
                "list_workflow_executions",
                listing(self._client, clause, self._want + _SPARE),
                self._cancel,
            )
            ends = [values.time_ns(info, "close_time") or 0 for info in answer.executions]
            known, read = len(found), read + len(ends)
            found |= {key_of(info): info for info in answer.executions}
            if ends != sorted(ends, reverse=True):
                return None
            ordered = self._beyond(start, found)
            if not answer.next_page_token:
                return Merged([info for info in ordered if key_of(info)[0] > floor], last=not floor)
            edge = key_of(ordered[self._want - 1])[0] if len(ordered) >= self._want else 0
            if ends[-1] < edge:
                return Merged([info for info in ordered if key_of(info)[0] >= edge], last=False)
            if len(found) == known:
                return None
            # Whatever is still wanted started after the last of those wanted so far.
            floor, until = max(floor, edge - 1), f"CloseTime <= {moment(ends[-1])}"
        return None

    def _beyond(self, start: Place | None, found: dict[Key, Any]) -> list[Any]:
        keys = sorted(found, reverse=True)
        return [found[key] for key in keys if start is None or start.has(key, newer=False)]
