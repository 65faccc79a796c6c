"""The events of a history that was read, as the server sent them: packed, since they are seldom looked at again.

What is shown lies in the window's own process. Here events are wanted by id: for a payload, and for the steps that
began on an earlier page than they went on. A thousand small objects a page would never give their memory back.
"""

from __future__ import annotations

import threading
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Final

from engine_bridge.engines.temporal.events import Heads
from engine_bridge.engines.temporal.protobuf import slices

_LOOSE: Final = 2  # pages: most steps end on the page after the one that they began on
_QUICK: Final = 1  # of zlib's levels: payloads are text, and 10 ms a MB is what there is to spend

Records = dict[int, bytes]


class Pages:
    """Events by id, in pages whose ids rise. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._firsts: list[int] = []
        self._stored: list[tuple[list[int] | range, bytes, bool]] = []  # with whether it is packed
        self._loose: deque[tuple[bytes, Records]] = deque()
        self._opened: tuple[int, Records] = (-1, {})

    def add(self, data: bytes, heads: Heads) -> None:
        """The next page: a serialized ``History`` and what was read of it."""
        if len(heads):
            with self._lock:
                self._loose.appendleft((data, dict(zip(heads.id.tolist(), heads.record, strict=True))))
                self._store(_LOOSE)

    def pack(self) -> None:
        """There is no further page for now. Takes 2 to 10 ms a MB."""
        with self._lock:
            self._store(0)
            self._opened = (-1, {})
        for at, (ids, data, packed) in enumerate(self._stored):
            if not packed:
                self._stored[at] = (ids, zlib.compress(data, _QUICK), True)

    def _store(self, loose: int) -> None:
        while len(self._loose) > loose:
            data, records = self._loose.pop()
            ids = list(records)
            rising = range(ids[0], ids[0] + len(ids))
            self._firsts.append(ids[0])
            self._stored.append((rising if ids == list(rising) else ids, data, False))

    def find(self, event_id: int) -> bytes | None:
        """The bytes of an event, None when it was not read."""
        return next(iter(self.recall((event_id,))), None)

    def recall(self, event_ids: Iterable[int]) -> tuple[bytes, ...]:
        """The bytes of some events, without those that were not read."""
        with self._lock:
            newest = self._loose[0][1] if self._loose else {}  # most are asked for while it is
            found = [newest.get(event_id) or self._find(event_id) for event_id in event_ids]
        return tuple([record for record in found if record is not None])

    def _find(self, event_id: int) -> bytes | None:
        for _, records in self._loose:
            if event_id in records:
                return records[event_id]
        at = bisect_right(self._firsts, event_id) - 1
        if at < 0:
            return None
        if self._opened[0] != at:
            self._opened = (at, _records(*self._stored[at]))
        return self._opened[1].get(event_id)


def _records(ids: list[int] | range, data: bytes, packed: bool) -> Records:
    data = zlib.decompress(data) if packed else data
    return {event_id: data[start:end] for event_id, (start, end) in zip(ids, slices(data), strict=False)}
