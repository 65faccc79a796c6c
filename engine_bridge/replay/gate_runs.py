"""Which runs a gate replays, and their inputs read one by one while it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Field, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.model import Run, RunRef
from engine_bridge.query import parse
from engine_bridge.query.ast import Node
from engine_bridge.query.text import and_, quote
from engine_bridge.replay.gate_report import Result
from engine_bridge.replay.model import Outcome, ReplayInput
from engine_bridge.session import Session
from engine_bridge.words import Status

_PAGE: Final = 500


class Chosen(msgspec.Struct, frozen=True):
    """A run that is replayed: no more of it is kept."""

    ref: RunRef
    type: str
    version: str = ""


def open_filter(fields: Sequence[Field]) -> str:
    """The filter of the runs that a deploy could break: those that will go on."""
    known = next((field.values for field in fields if field.name == "status"), ())
    names = [status.value for status in Status if not status.closed and status.value in known]
    return f"status in ({', '.join(names)})" if names else ""


def choose(
    session: Session, fields: Sequence[Field], filter_text: str, sample: int | None, cancel: CancelToken
) -> list[Chosen]:
    """The runs of a filter, newest first; with ``sample`` the newest so many of each workflow type. Blocks.

    Raises QueryError, and what the bridge raises.
    """
    types = next((field.values for field in fields if field.name == "type"), ()) if sample else ()
    found: list[Chosen] = []
    for type_ in types:
        query = parse(and_(filter_text, f"type == {quote(type_)}"), fields)
        found += listed(session, query, cancel, sample)
    # A source names the types of its newest runs: those of rare ones are found among the rest.
    rest = f"type not in ({', '.join(map(quote, types))})" if types else ""
    text = and_(filter_text, rest) if rest else filter_text
    return [*found, *_sampled(listed(session, parse(text, fields), cancel), sample)]


def _sampled(found: Iterable[Chosen], sample: int | None) -> Iterator[Chosen]:
    counts: dict[str, int] = {}
    for run in found:
        counts[run.type] = counts.get(run.type, 0) + 1
        if sample is None or counts[run.type] <= sample:
            yield run


def listed(
    session: Session, query: Node | None, cancel: CancelToken, limit: int | None = None
) -> Iterator[Chosen]:
    """The runs of a filter, page by page. Raises CancelledError."""
    cursor: bytes | None = None
    left = limit
    while left is None or left > 0:
        cancel.progress_through(0, None, "choosing runs")
        page: Page = asked(
            session, cancel, "runs", query, Sort(), cursor, "forward", min(_PAGE, left or _PAGE)
        )
        runs: tuple[Run, ...] = page.items
        yield from (chosen(run) for run in runs)
        left = None if left is None else left - len(runs)
        cursor = page.after
        if cursor is None:
            return


def chosen(run: Run) -> Chosen:
    return Chosen(run.ref, run.type, run.version or "")


def asked(session: Session, cancel: CancelToken, method: str, *args: Any) -> Any:
    """A bridge method, waited for; cancelling ends the call."""
    cancel.raise_if_cancelled()
    call = session.call(method, *args)
    forget = cancel.add_hook(call.cancel)
    try:
        return call.result()
    finally:
        forget()


def inputs(session: Session, runs: Iterable[Chosen], cancel: CancelToken) -> Iterator[ReplayInput | Result]:
    """The inputs of runs, each read when it is asked for; a run that cannot be read is a result that says so."""
    for run in runs:
        try:
            yield asked(session, cancel, "replay_input", run.ref)
        except CancelledError:
            return
        except PlayheadError as error:
            yield Result(
                number=0, run_id=str(run.ref), type=run.type, version=run.version,
                outcome=Outcome.FAILED, error=error.message, hint=error.hint, name=run.ref.label,
            )  # fmt: skip
