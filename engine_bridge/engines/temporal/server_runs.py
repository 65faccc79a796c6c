"""Lists of runs: pages by creation, filters, look-up by id. What search attributes cannot answer is scanned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Direction, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_rows as rows
from engine_bridge.engines.temporal import visibility
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.server_closings import Closings
from engine_bridge.engines.temporal.server_opens import Opens
from engine_bridge.engines.temporal.server_places import MOST, Key, Place, key_of, listing
from engine_bridge.engines.temporal.server_walk import Walk
from engine_bridge.engines.temporal.visibility import Visibility, joined
from engine_bridge.engines.temporal.visibility_leaves import one_of, quoted, sendable
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.model import Run, RunRef
from engine_bridge.query.ast import And, Compare, Node, Not, Or, Text
from engine_bridge.query.predicate import Predicate, predicate

SCAN_S: Final = 2.0
"""How long one page may scan before it is handed over as far as it got."""
_IDS: Final = 100
_ERRORS: Final = frozenset({"error", "error.type", "error.message", "now"})


class Lister:
    """Lists the runs of one namespace. Thread-safe."""

    def __init__(self, client: Client, known: Visibility) -> None:
        self.client = client
        self.known = known
        self.closings = Closings(client)
        self.opens = Opens(client)
        self.floor = 1
        """Ns; no run of the namespace was created up to then. Runs go, but none comes that is older."""
        self._widths: dict[str, int] = {}

    def where(self, query: Node | None) -> Where:
        return Where(query, self.known, self.client.now_ns())

    def page(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        """A page by creation; a filter that visibility cannot answer is scanned, for SCAN_S at most."""
        if sort.field != "created":
            raise UsageError(
                f"Temporal's runs cannot be sorted by {sort.field}.", "Sort them by their creation."
            )
        cancel.raise_if_cancelled()
        where = self.where(query)
        newer = sort.descending is (direction == "backward")
        start = decoded(cursor)
        found = _Found(limit)
        self._collect(where, start, newer, found, cancel)
        return self._page(where, start, newer, direction == "forward", found, cancel)

    def _collect(
        self, where: Where, start: Place | None, newer: bool, found: _Found, cancel: CancelToken
    ) -> None:
        aim = found.limit + found.limit // 2 if where.residual is None else MOST
        walk = Walk(self.client, where.clause, self._widths, cancel, aim=aim, floor=self.floor)
        deadline = time.monotonic() + SCAN_S
        for infos in walk.infos(start, newer):
            for part in _cut(infos, found.limit if where.residual is None else _IDS):
                runs = self.runs(part, cancel, errors=where.needs_errors)
                found.add(part, runs, where.matches)
                if found.full:
                    return
            cancel.progress(found.searched, None, "searching runs")
            if where.residual is not None and time.monotonic() > deadline:
                found.unfinished = True
                return

    def _page(
        self,
        where: Where,
        start: Place | None,
        newer: bool,
        forward: bool,
        found: _Found,
        cancel: CancelToken,
    ) -> Page:
        more = found.full or found.unfinished
        kept = found.kept[: found.limit]
        onward = found.kept[found.limit - 1][0] if found.full else found.last
        items = self.closings.told([run for _, run in kept], cancel)
        ahead = encoded(Place(onward, newer)) if more and onward is not None else None
        # What lies behind the cursor was seen once; a page that has gone meanwhile is an empty one.
        behind = (
            encoded(Place(start.key, not newer) if not kept else Place(kept[0][0], not newer))
            if start
            else None
        )
        scanned = where.residual is not None
        return Page(
            items=tuple(items if forward else items[::-1]),
            before=behind if forward else ahead,
            after=ahead if forward else behind,
            searched=found.searched if scanned else None,
            of=self.total(where.clause, cancel) if scanned else None,
            complete=not found.unfinished or found.full,
        )

    def runs(self, infos: Sequence[Any], cancel: CancelToken, *, errors: bool = False) -> list[Run]:
        """The runs of visibility's rows; with ``errors`` those of failed ones are read, and open ones described."""
        now_ns = self.client.now_ns()
        found = [self.opens.told(rows.run_of(info, now_ns)) for info in infos]
        return self.closings.told(self.opens.look(found, cancel), cancel) if errors else found

    def total(self, clause: str, cancel: CancelToken) -> int:
        """How many runs satisfy a clause."""
        from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

        request = CountWorkflowExecutionsRequest(namespace=self.client.source.namespace, query=clause)
        return int(self.client.call("count_workflow_executions", request, cancel).count)

    def all(self, where: Where, cancel: CancelToken) -> Iterator[list[Run]]:
        """The runs that match, newest first, in lists."""
        for infos in Walk(self.client, where.clause, self._widths, cancel).infos(None, False):
            for part in _cut(infos, MOST):
                yield [
                    run for run in self.runs(part, cancel, errors=where.needs_errors) if where.matches(run)
                ]

    def matching(self, clause: str, limit: int, cancel: CancelToken) -> list[Run]:
        """The first runs of a clause in the server's own order: open ones, then those that closed last."""
        answer = self.client.call("list_workflow_executions", listing(self.client, clause, limit), cancel)
        return self.runs(answer.executions[:limit], cancel)

    def by_refs(self, refs: Sequence[RunRef], cancel: CancelToken) -> dict[RunRef, Run]:
        """The rows of some runs, as far as they exist."""
        found: dict[RunRef, Run] = {}
        ids = list(dict.fromkeys(ref.run for ref in refs if sendable(ref.run)))
        for at in range(0, len(ids), _IDS):
            clause = one_of("RunId", ids[at : at + _IDS])
            found |= {run.ref: run for run in self.matching(clause, MOST, cancel)}
        return found

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        """Runs by workflow id, run id, or the beginning of a workflow id: newest first, exact ones above."""
        if not text:
            return []
        if not sendable(text):
            return self._described(text, cancel)
        exact = f"(WorkflowId = {quoted(text)} or RunId = {quoted(text)})"
        found = self.matching(exact, limit, cancel)
        if len(found) < limit:
            begun = self.matching(f"WorkflowId STARTS_WITH {quoted(text)}", min(limit + 10, MOST), cancel)
            found += [run for run in begun if run.id.startswith(text) and run.id != text]
        return self.closings.told(
            sorted(found, key=lambda run: run.id != text and run.ref.run != text)[:limit], cancel
        )

    def _described(self, text: str, cancel: CancelToken) -> list[Run]:
        """The newest run of a workflow id that visibility cannot be asked for."""
        from engine_bridge.engines.temporal import server_describe, server_values

        try:
            found = server_describe.read(self.client, server_values.ref(text, ""), cancel)
        except NotFoundError:
            return []
        return self.closings.told([found.row], cancel)


class Where:
    """A filter as a clause for the server and a predicate for the rest."""

    def __init__(self, query: Node | None, known: Visibility, now_ns: int) -> None:
        self.clause, self.residual = visibility.split(query, known, now_ns)
        self.matches: Predicate = (
            (lambda run: True) if self.residual is None else predicate(self.residual, now_ns)
        )
        self.needs_errors = self.residual is not None and needs(self.residual)


def needs(node: Node) -> bool:
    """Whether a filter asks for errors, or for what open runs wait for, which visibility does not hold."""
    match node:
        case Not(inner):
            return needs(inner)
        case And(nodes) | Or(nodes):
            return any(needs(inner) for inner in nodes)
        case Text():
            return True
        case Compare():
            return node.field in _ERRORS
    return False


class _Found:
    """What a page has collected: one row more than it shows tells whether there are more."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: list[tuple[Key, Run]] = []
        self.last: Key | None = None
        self.searched = 0
        self.unfinished = False

    @property
    def full(self) -> bool:
        return len(self.kept) > self.limit

    def add(self, infos: Sequence[Any], runs: Sequence[Run], matches: Callable[[Run], bool]) -> None:
        self.kept += [(key_of(info), run) for info, run in zip(infos, runs, strict=True) if matches(run)]
        self.searched += len(infos)
        if infos:
            self.last = key_of(infos[-1])


def _cut(infos: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(infos), size):
        yield infos[at : at + size]


def encoded(place: Place) -> bytes:
    return msgspec.json.encode((*place.key, place.above))


def decoded(cursor: bytes | None) -> Place | None:
    """The place of a cursor. Raises UsageError."""
    if cursor is None:
        return None
    try:
        at, run_id, above = msgspec.json.decode(cursor, type=tuple[int, str, bool])
    except msgspec.MsgspecError:
        raise UsageError("This place in the list is not valid.", "Start from the top.") from None
    return Place((at, run_id), above)


__all__ = ["Lister", "Where", "joined"]
