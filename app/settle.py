"""Reads back what became of actions, and journals it: of intents whose Playhead died, and of effects that are
awaited. Qt-free."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.opening import actor_of, target_of
from app.saved import Saved
from app.target import Target
from engine_bridge.actions.execute import LATER, Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Actor, Intent, Outcome, Plan, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError, CancelledError, ConnectError, PlayheadError

UNASKED: Final = "its source cannot be asked now"
KEPT_NOTHING: Final = "the Playhead that recorded it kept nothing to ask by"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one intent. It stays open while ``outcome.pending`` is LATER, and awaited while it says more."""

    intent: Intent
    outcome: Outcome


def settle(
    journal: Journal,
    cancel: CancelToken,
    source: str | None = None,
    factory: Callable[[], Actor] | None = None,
) -> list[Settled]:
    """Takes over and settles the open intents of dead owners, of one source (as ``app.opening.source_id``) or of all.

    ``factory`` makes the actor where the caller has one, with its password; others are made from the journal's URL, and
    get the keyring's.
    A source that cannot be reached leaves its intents open. Not on the GUI thread.
    """
    by_source: dict[str, list[Intent]] = {}
    for intent in journal.take_over(source):
        by_source.setdefault(intent.source, []).append(intent)
    found: list[Settled] = []
    for place, intents in by_source.items():
        found += _of_one(journal, cancel, place, intents, factory if place == source else None)
    return found


def follow(
    journal: Journal,
    cancel: CancelToken,
    wanted: Collection[str] | None = None,
    source: str | None = None,
    targets: Mapping[str, Target] | None = None,
) -> list[Settled]:
    """Asks how far effects are that the journal still awaits, and journals those that came about.

    ``wanted`` are request ids, None for all; ``source`` limits them to one source's; ``targets`` are open sources with
    their passwords, by the journal's name. Where a source cannot be asked ``pending`` begins with UNASKED and says
    why. Not on the GUI thread.
    """
    by_source: dict[str, list[Intent]] = {}
    for intent in journal.awaited(source):
        if wanted is None or intent.request_id in wanted:
            by_source.setdefault(intent.source, []).append(intent)
    found: list[Settled] = []
    for place, intents in by_source.items():
        target = (targets or {}).get(place)
        factory = (
            partial(_factory, place, named=place == source) if target is None else partial(actor_of, target)
        )
        found += _followed(journal, cancel, place, intents, factory)
    return found


def _followed(
    journal: Journal,
    cancel: CancelToken,
    place: str,
    intents: list[Intent],
    factory: Callable[[], Callable[[], Actor]],
) -> list[Settled]:
    found: list[Settled] = []
    try:
        with _reading(journal, place, factory()) as run:
            for number, intent in enumerate(intents):
                cancel.progress_through(number, len(intents), "Asking what became of it")
                found.append(Settled(intent, _asked(run, intent, cancel)))
    except PlayheadError as error:
        found += [Settled(intent, _unasked(error)) for intent in intents[len(found) :]]
    return found


def _asked(run: Execution, intent: Intent, cancel: CancelToken) -> Outcome:
    """How far it is. Raises PlayheadError where asking about another one is no use either."""
    try:
        return run.follow(intent, cancel)
    except (ConnectError, BusyError, CancelledError):
        raise
    except PlayheadError as error:
        return _unasked(error)


def _unasked(error: PlayheadError) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, pending=f"{UNASKED}: {error.message}")


def _reading(journal: Journal, place: str, factory: Callable[[], Actor]) -> Execution:
    """An execution that reads back only."""
    return Execution(factory, journal, Plan(id="", source=place, environment="", items=()), "")


def _of_one(
    journal: Journal,
    cancel: CancelToken,
    place: str,
    intents: list[Intent],
    factory: Callable[[], Actor] | None,
) -> list[Settled]:
    try:
        with _reading(journal, place, factory or _factory(place, named=False)) as run:
            return [Settled(intent, run.settle(intent, cancel)) for intent in intents]
    except PlayheadError as error:
        for intent in intents:
            journal.unsettled(intent)
        outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=(error.message,), pending=LATER)
        return [Settled(intent, outcome) for intent in intents]


def _factory(place: str, *, named: bool) -> Callable[[], Actor]:
    return actor_of(target_of(place, Saved()), named=named)
