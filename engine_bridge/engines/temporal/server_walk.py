"""Runs in the order of their creation, which Temporal does not offer: windows of time, each read whole and sorted.

The server lists open runs first, then closed ones by their end, and takes no ORDER BY. So a walk asks for the runs
that were created in a window, sorts them, and goes on with the next; the width of the windows follows how many runs
there are. A place is (creation in ns, run id): it stays valid whatever happens to other runs, to the server, and to
pages of another length, and it leads both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client, pages
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.engines.temporal.visibility_leaves import moment

MOST: Final = 1_000
"""Rows that one answer holds at most (the server's own limit)."""
_NARROW: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_FIRST: Final = 3_600 * 1_000_000_000
_EARLIEST: Final = 1_000_000_000
_LATEST: Final = 250_000_000_000 * 1_000_000_000

Key = tuple[int, str]


@dataclass(frozen=True)
class Place:
    """A place between two runs: just below or above the run of a key."""

    key: Key
    above: bool

    def has(self, key: Key, newer: bool) -> bool:
        """Whether a run lies beyond this place, going to newer or older ones."""
        if newer:
            return key >= self.key if not self.above else key > self.key
        return key <= self.key if self.above else key < self.key


def key_of(info: Any) -> Key:
    return values.time_ns(info, "start_time") or 0, info.execution.run_id


def listing(client: Client, clause: str, size: int) -> Any:
    """A request for a list."""
    from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

    return ListWorkflowExecutionsRequest(
        namespace=client.source.namespace, page_size=max(1, min(size, MOST)), query=clause
    )


class Walk:
    """Walks a query's runs. ``widths`` remembers how wide windows were, by query, between walks."""

    def __init__(
        self,
        client: Client,
        clause: str,
        widths: dict[str, int],
        cancel: CancelToken,
        *,
        aim: int = MOST // 2,
    ) -> None:
        self._client = client
        self._clause = clause
        self._widths = widths
        self._cancel = cancel
        self._aim = max(1, min(aim, MOST // 2))

    def infos(self, start: Place | None, newer: bool) -> Iterator[list[Any]]:
        """``WorkflowExecutionInfo`` beyond a place (None: the end where the walk begins), a window at a time."""
        edge = self._edge(start, newer)
        width = self._widths.get(self._clause, _FIRST)
        crowd: int | None = None  # a window up to here held more runs than one answer takes
        while edge is not None and _EARLIEST < edge < _LATEST:
            width = min(width, _LATEST - edge if newer else edge - _EARLIEST)
            low, high = (edge, edge + width) if newer else (edge - width, edge)
            found = self._window(low, high)
            if found is None:
                crowd = high if newer else low
                empty, width = self._narrower(edge, width, newer)
                edge += empty if newer else -empty
                continue
            beyond = [info for info in found if start is None or start.has(key_of(info), newer)]
            yield sorted(beyond, key=key_of, reverse=not newer)
            edge = high if newer else low
            if len(found) > self._aim // 4:
                self._widths[self._clause] = width
            crowd = None if crowd == edge else crowd
            if len(found) < self._aim:
                width *= 4
                if crowd is None:
                    edge, width = self._jump(edge, width, newer)
            if crowd is not None and edge is not None:
                width = min(width, abs(crowd - edge))

    def _edge(self, start: Place | None, newer: bool) -> int | None:
        if start is not None:
            return start.key[0] - 1 if newer else start.key[0]
        return self._before_all() if newer else self._behind_all()

    def _behind_all(self) -> int:
        """A time at or after the newest run, whose clock may be ahead of ours."""
        edge, step = self._client.now_ns(), _SECOND
        found = self._any(edge, newer=True)
        while found is not None:
            edge = max(found, edge + step)
            step *= 8
            found = self._any(edge, newer=True)
        return edge

    def _before_all(self) -> int | None:
        """A time before the first run; None when there is no run."""
        edge, step = self._client.now_ns() + _FIRST, _FIRST
        found = self._any(edge, newer=False)
        if found is None:
            return None
        while found is not None:
            edge = max(min(found, edge - step), _EARLIEST) - 1
            step *= 8
            found = self._any(edge, newer=False)
        return edge

    def _window(self, low: int, high: int) -> list[Any] | None:
        """The runs created after ``low`` and not after ``high``, in no order; None when they are too many at once."""
        clause = joined((self._between(low, high), self._clause))
        most = None if high - low <= _NARROW else 1
        found: list[Any] = []
        for answer in pages(
            self._client, "list_workflow_executions", listing(self._client, clause, MOST), self._cancel
        ):
            found += answer.executions
            if most and answer.next_page_token:
                return None
        return found

    @staticmethod
    def _between(low: int, high: int) -> str:
        return f"StartTime > {moment(max(low, _EARLIEST))} and StartTime <= {moment(min(high, _LATEST))}"

    def _narrower(self, edge: int, width: int, newer: bool) -> tuple[int, int]:
        """(how far from ``edge`` there is no run, a width behind that which holds some, and not too many)."""
        empty, crowded = 0, width
        count = self._count(edge, width, newer)
        while True:
            share = (crowded - empty) * self._aim // max(count, 1)
            reach = max(min(share, (crowded - empty) // 2), _NARROW)
            count = self._count(edge, empty + reach, newer)
            if count == 0:
                # Runs crowd at the far end, so the middle is the better guess from now on.
                empty, count = empty + reach, 2 * self._aim
            elif count <= MOST or reach <= _NARROW:
                return empty, reach
            else:
                crowded = empty + reach

    def _count(self, edge: int, width: int, newer: bool) -> int:
        from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

        window = self._between(*((edge, edge + width) if newer else (edge - width, edge)))
        request = CountWorkflowExecutionsRequest(
            namespace=self._client.source.namespace, query=joined((window, self._clause))
        )
        return int(self._client.call("count_workflow_executions", request, self._cancel).count)

    def _jump(self, edge: int, width: int, newer: bool) -> tuple[int | None, int]:
        """Where to go on, after a window with few runs: not at all when no run is left, else far enough for one."""
        found = self._any(edge, newer)
        if found is None:
            return None, width
        gap = abs(found - edge)
        return edge, max(width, gap + 1)

    def _any(self, edge: int, newer: bool) -> int | None:
        """When some run beyond a time was created; None when there is none."""
        beyond = f"StartTime {'>' if newer else '<='} {moment(min(max(edge, _EARLIEST), _LATEST))}"
        request = listing(self._client, joined((beyond, self._clause)), 1)
        answer = self._client.call("list_workflow_executions", request, self._cancel)
        found: list[int] = [key_of(info)[0] for info in answer.executions]
        return found[0] if found else None
