"""Runs in the order of their creation, which Temporal does not offer: windows of time, each read whole and sorted.

The server lists open runs first, the newest above, then closed ones by their end, and takes no ORDER BY. Going to older
runs a walk merges both lists (``server_merge``). Going to newer ones, and where the merge would have to read too much,
it looks for a window of time that holds about as many runs as are wanted, reads all of them, sorts them, and goes on
with the next; windows are found by counts, a few at once. A place is (creation in ns, run id): it stays valid whatever
happens to other runs, to the server, and to pages of another length, and it leads both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client, pages
from engine_bridge.engines.temporal.server_merge import Merge
from engine_bridge.engines.temporal.server_places import MOST, Place, key_of, listing
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.engines.temporal.visibility_leaves import moment
from engine_bridge.errors import PlayheadError

_NARROW: Final = 1_000_000
_ROUNDS: Final = 10  # of counts, until a window with fewer runs than wanted is good enough
_SECOND: Final = 1_000_000_000
_FIRST: Final = 3_600 * 1_000_000_000
_EARLIEST: Final = 1_000_000_000
_LATEST: Final = 250_000_000_000 * 1_000_000_000


@dataclass(slots=True)
class _Reach:
    """What counts have told of the runs beyond an edge: there is none up to ``empty``, there are ``count`` (and that is
    not too many) up to ``width``, and too many up to the least of ``crowds`` (counts by width)."""

    empty: int = 0
    width: int | None = None
    count: int = 0
    crowds: dict[int, int] = field(default_factory=dict)

    def learn(self, width: int, count: int, most: int) -> None:
        if count == 0:
            self.empty = max(self.empty, width)
        elif count > most:
            self.crowds[width] = count
        elif self.width is None or width > self.width:
            self.width, self.count = width, count

    @property
    def full(self) -> int | None:
        return min(self.crowds, default=None)

    def between(self, wanted: int) -> list[int]:
        """Widths to count next, once it is known how far is too far: the middle, and where ``wanted`` runs would be if
        they came as evenly as those that were counted."""
        low, high = self.width or self.empty, self.full or 0
        known = sorted([(width, number) for width, number in self.crowds.items()])[:2]
        points = ([(self.width, self.count)] if self.width is not None else []) + known
        tried = [(low + high) // 2]
        if len(points) > 1 and points[1][1] > points[0][1]:
            (near, few), (far, many) = points[:2]
            guess = near + (wanted - few) * (far - near) // (many - few)
            tried.append(guess if low < guess < high else low + (high - low) // 4)
        return _rising(one for one in tried if low < one < high)


class Walk:
    """Walks a query's runs. ``widths`` remembers how wide windows were, by query, between walks.

    A window holds at least two thirds of ``aim`` runs, where so many crowd, and no more than ``aim``. No run was
    created up to ``floor``, ns.
    """

    def __init__(
        self,
        client: Client,
        clause: str,
        widths: dict[str, int],
        cancel: CancelToken,
        *,
        aim: int = MOST,
        floor: int = 0,
    ) -> None:
        self._client = client
        self._clause = clause
        self._widths = widths
        self._cancel = cancel
        self._most = max(1, min(aim, MOST))
        self._enough = self._most * 2 // 3 + 1
        self._floor = floor

    def infos(self, start: Place | None, newer: bool) -> Iterator[list[Any]]:
        """``WorkflowExecutionInfo`` beyond a place (None: the end where the walk begins), some at a time."""
        merge = Merge(self._client, self._clause, self._enough, self._cancel)
        while not newer and (found := merge.older(start)) is not None:
            if found.rows:
                yield found.rows
                start = Place(key_of(found.rows[-1]), above=False)
            if found.last:
                return
        yield from self._windows(start, newer)

    def _windows(self, start: Place | None, newer: bool) -> Iterator[list[Any]]:
        edge = self._edge(start, newer)
        while edge is not None and _EARLIEST < edge < _LATEST:
            reach = self._reach(edge, newer)
            if reach is None:
                return
            empty, width, last = reach
            low, high = (edge + empty, edge + width) if newer else (edge - width, edge - empty)
            found = self._window(low, high)
            self._widths[self._clause] = width - empty
            beyond = [info for info in found if start is None or start.has(key_of(info), newer)]
            edge = high if newer else low
            yield sorted(beyond, key=key_of, reverse=not newer)
            if last:
                return

    def _reach(self, edge: int, newer: bool) -> tuple[int, int, bool] | None:
        """(how far from ``edge`` there is no run, up to where to read, whether that is all); None when none is left."""
        furthest = _LATEST - edge if newer else edge - _EARLIEST
        reach, tried, rounds = _Reach(), _ladder(self._widths.get(self._clause, _FIRST), furthest), 0
        while True:
            for width, count in zip(tried, self._counts(edge, tried, newer), strict=True):
                reach.learn(width, count, self._most)
            rounds += 1
            if reach.width is not None and (reach.count >= self._enough or rounds >= _ROUNDS):
                return reach.empty, reach.width, False
            if reach.full is not None:
                tried = reach.between(self._most * 5 // 6)
                if not tried or reach.full - (reach.width or reach.empty) <= _NARROW:
                    return reach.empty, reach.width or reach.full, False
                continue
            wide = tried[-1]
            found = None if wide == furthest else self._any(edge + wide if newer else edge - wide, newer)
            if found is None:
                return None if reach.width is None else (reach.empty, wide, True)
            tried = _ladder(max(wide * 8, -(-abs(found - edge) // 64)), furthest)

    def _counts(self, edge: int, widths: list[int], newer: bool) -> list[int]:
        """How many runs lie within each of some distances of ``edge``."""
        from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

        windows = [self._between(*((edge, edge + w) if newer else (edge - w, edge))) for w in widths]
        requests = [
            CountWorkflowExecutionsRequest(
                namespace=self._client.source.namespace, query=joined((window, self._clause))
            )
            for window in windows
        ]
        answers = self._client.call_all("count_workflow_executions", requests, self._cancel)
        for answer in answers:
            if isinstance(answer, PlayheadError):
                raise answer
        return [int(answer.count) for answer in answers]

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
        if self._floor > _EARLIEST:
            return self._floor
        edge, step = self._client.now_ns() + _FIRST, _FIRST
        found = self._any(edge, newer=False)
        if found is None:
            return None
        while found is not None:
            edge = max(min(found, edge - step), _EARLIEST) - 1
            step *= 8
            found = self._any(edge, newer=False)
        return edge

    def _window(self, low: int, high: int) -> list[Any]:
        """The runs created after ``low`` and not after ``high``, in no order."""
        clause = joined((self._between(low, high), self._clause))
        request = listing(self._client, clause, MOST)
        answers = pages(self._client, "list_workflow_executions", request, self._cancel)
        return [info for answer in answers for info in answer.executions]

    @staticmethod
    def _between(low: int, high: int) -> str:
        return f"StartTime > {moment(max(low, _EARLIEST))} and StartTime <= {moment(min(high, _LATEST))}"

    def _any(self, edge: int, newer: bool) -> int | None:
        """When some run beyond a time was created; None when there is none."""
        beyond = f"StartTime {'>' if newer else '<='} {moment(min(max(edge, _EARLIEST), _LATEST))}"
        request = listing(self._client, joined((beyond, self._clause)), 1)
        answer = self._client.call("list_workflow_executions", request, self._cancel)
        found: list[int] = [key_of(info)[0] for info in answer.executions]
        return found[0] if found else None


def _ladder(width: int, furthest: int) -> list[int]:
    """Three widths, each eight times the one before, none beyond ``furthest``."""
    return _rising(min(max(width, 1) * 8**step, furthest) for step in range(3))


def _rising(values: Iterable[int]) -> list[int]:
    """Rising values, each once, none below 1."""
    return sorted({value for value in values if value > 0})
