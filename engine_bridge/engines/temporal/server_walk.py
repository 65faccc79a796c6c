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
        open_ended = start is None and not newer
        while edge is not None:
            low, high = (edge, edge + width) if newer else (edge - width, edge)
            found = self._window(low, None if open_ended else high, newer)
            if found is None:
                width = self._narrower(low, None if open_ended else high, width)
                continue
            beyond = [info for info in found if start is None or start.has(key_of(info), newer)]
            yield sorted(beyond, key=key_of, reverse=not newer)
            self._widths[self._clause] = width
            open_ended, edge = False, high if newer else low
            if len(found) < self._aim:
                width *= 4
                edge, width = self._jump(edge, width, newer)

    def _edge(self, start: Place | None, newer: bool) -> int | None:
        if start is not None:
            return start.key[0] - 1 if newer else start.key[0]
        return self._oldest() if newer else self._client.now_ns()

    def _oldest(self) -> int | None:
        """A time before the first run."""
        edge, step = self._client.now_ns() + _FIRST, _FIRST
        found = self._any(edge, newer=False)
        if found is None:
            return None
        while found is not None:
            edge = max(min(found, edge - step), _EARLIEST) - 1
            step *= 8
            found = self._any(edge, newer=False)
        return edge

    def _window(self, low: int, high: int | None, newer: bool) -> list[Any] | None:
        """The runs created after ``low`` and not after ``high``, in no order; None when they are too many at once."""
        clause = joined((self._between(low, high), self._clause))
        most = None if high is not None and high - low <= _NARROW else 1
        found: list[Any] = []
        for answer in pages(
            self._client, "list_workflow_executions", listing(self._client, clause, MOST), self._cancel
        ):
            found += answer.executions
            if most and answer.next_page_token:
                return None
        return found

    @staticmethod
    def _between(low: int, high: int | None) -> str:
        after = f"StartTime > {moment(max(low, _EARLIEST))}"
        return after if high is None else f"{after} and StartTime <= {moment(min(high, _LATEST))}"

    def _narrower(self, low: int, high: int | None, width: int) -> int:
        from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

        clause = joined((self._between(low, high), self._clause))
        request = CountWorkflowExecutionsRequest(namespace=self._client.source.namespace, query=clause)
        count: int = self._client.call("count_workflow_executions", request, self._cancel).count
        return max(min(width * self._aim // max(count, 1), width // 2), _NARROW)

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
