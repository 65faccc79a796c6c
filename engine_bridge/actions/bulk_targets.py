"""The targets of a bulk job: counted for the preview, resolved and planned for the confirmation. Worker thread."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.actions.model import PlanItem, Staged, Target
from engine_bridge.bridge import Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import RejectedError
from engine_bridge.model import Run
from engine_bridge.query.ast import Node
from engine_bridge.session import Session

MOST: Final = 100_000
_PAGE: Final = 500
_PREVIEW: Final = 1_000
_PLAN: Final = 100


class Preview(msgspec.Struct, frozen=True):
    """How many runs a filter matches: ``count`` of them, or at least so many when not ``exact``."""

    count: int
    exact: bool

    def __str__(self) -> str:
        return str(self.count) if self.exact else f"at least {self.count}"


def target_of(run: Run) -> Target:
    """A run as a target."""
    return Target(kind="run", id=str(run.ref), title=run.type, ref=run.ref)


def preview(session: Session, query: Node | None, cancel: CancelToken, most: int = _PREVIEW) -> Preview:
    """Counts by paging, at most ``most``: never a count over the whole source."""
    count, cursor = 0, None
    while count < most:
        page = _page(session, query, cursor, min(_PAGE, most - count), cancel)
        count += len(page.items)
        cursor = page.after
        if cursor is None:
            return Preview(count, page.complete)
    return Preview(count, exact=False)


def resolve(session: Session, query: Node | None, cancel: CancelToken, most: int = MOST) -> list[Target]:
    """The runs that match now, newest first. Raises RejectedError for more than ``most``."""
    found: list[Target] = []
    cursor: bytes | None = None
    while True:
        page = _page(session, query, cursor, _PAGE, cancel)
        found += [target_of(run) for run in page.items]
        cancel.progress(len(found), None, "Finding the runs")
        cursor = page.after
        if len(found) > most:
            raise RejectedError(f"More than {most} runs match.", "Narrow the filter.")
        if cursor is None:
            return found


def plan_all(
    session: Session, targets: list[Target], action: str, args: dict[str, Any], cancel: CancelToken
) -> tuple[PlanItem, ...]:
    """The plan of one action on every target, in order."""
    staged = [Staged(target=target, action=action, args=args) for target in targets]
    found: list[PlanItem] = []
    for at in range(0, len(staged), _PLAN):
        cancel.progress(at, len(staged), "Planning")
        found += _wait(session, cancel, "plan", tuple(staged[at : at + _PLAN]))
    return tuple(found)


def _page(
    session: Session, query: Node | None, cursor: bytes | None, limit: int, cancel: CancelToken
) -> Page:
    page: Page = _wait(session, cancel, "runs", query, Sort(), cursor, "forward", limit)
    return page


def _wait(session: Session, cancel: CancelToken, method: str, *args: Any) -> Any:
    """A call of the session that is cancelled along with ``cancel``."""
    cancel.raise_if_cancelled()
    call = session.call(method, *args)
    remove = cancel.add_hook(call.cancel)
    try:
        return call.result()
    finally:
        remove()
