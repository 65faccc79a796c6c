"""The newest runs below a place, merged of the server's two lists.

Open runs come by their start, the newest first; closed ones by their end, the last first. No run starts after its end:
once a closed run has ended before the oldest run that is wanted, no closed run behind it is wanted either.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        rows: list[Any] = []
        request = self._listing(self._below(start))
        for answer in pages(self._client, "list_workflow_executions", request, self._cancel):
            rows += answer.executions
            opened = [info for info in rows if not info.HasField("close_time")]
            times = [key_of(info)[0] for info in opened]
            if opened != rows[: len(opened)] or times != sorted(times, reverse=True):
                return None
            if not answer.next_page_token:
                return Merged(self._beyond(start, {key_of(info): info for info in rows}), last=True)
            if len(opened) < len(rows):
                return self._with_closed(start, rows, 0, rows[len(opened) :])
            # More runs may have started at the last moment of a list that goes on.
            whole = [info for info in rows if key_of(info)[0] > times[-1]]
            if len(self._beyond(start, {key_of(info): info for info in whole})) >= self._want:
                return self._with_closed(start, whole, times[-1], ())
            if len(rows) > self._want * _DEAR:
                return None
        return None

    def _listing(self, *clauses: str) -> Any:
        return listing(self._client, joined((*clauses, self._clause)), self._want + _SPARE)

    def _below(self, start: Place | None) -> str:
        return "" if start is None else f"StartTime <= {moment(start.key[0])}"

    def _with_closed(
        self, start: Place | None, rows: list[Any], floor: int, closed: Sequence[Any]
    ) -> Merged | None:
        """With the closed runs that started after ``floor``, of as many as are wanted; ``closed`` are those at hand."""
        found, read = {key_of(info): info for info in rows}, 0
        while read <= self._want * _DEAR:
            ends = [values.time_ns(info, "close_time") or 0 for info in closed]
            if ends != sorted(ends, reverse=True):
                return None
            until = ""
            if ends:
                ordered = self._beyond(start, found)
                edge = key_of(ordered[self._want - 1])[0] if len(ordered) >= self._want else 0
                if ends[-1] < edge:
                    return Merged([info for info in ordered if key_of(info)[0] >= edge], last=False)
                # Whatever is still wanted started after the last of those wanted so far.
                floor, until = max(floor, edge - 1), f"CloseTime <= {moment(ends[-1])}"
            above = f"StartTime > {moment(floor)}" if floor else ""
            request = self._listing(CLOSED, above, until, self._below(start))
            answer = self._client.call("list_workflow_executions", request, self._cancel)
            closed, known = answer.executions, len(found)
            read += len(closed)
            found |= {key_of(info): info for info in closed}
            if not answer.next_page_token:
                ordered = self._beyond(start, found)
                return Merged([info for info in ordered if key_of(info)[0] > floor], last=not floor)
            if len(found) == known:
                return None
        return None

    def _beyond(self, start: Place | None, found: dict[Key, Any]) -> list[Any]:
        keys = sorted(found, reverse=True)
        return [found[key] for key in keys if start is None or start.has(key, newer=False)]
