"""Settles intents whose Playhead died: reads their sources, and journals what became of them. Qt-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app import secrets
from app.opening import ActorFactory, actor_of, target_of
from app.saved import Saved
from engine_bridge.actions.execute import LATER, Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Actor, Intent, Outcome, Plan, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one intent; ``outcome.pending`` says that it stays open for now."""

    intent: Intent
    outcome: Outcome


def settle(
    journal: Journal,
    cancel: CancelToken,
    source: str | None = None,
    factory: Callable[[], Actor] | None = None,
) -> list[Settled]:
    """Takes over and settles the open intents of dead owners, of one source (as ``app.opening.source_id``) or of all.

    ``factory`` makes the actor where the caller has one, with its password; others are made from the journal's URL.
    A source that cannot be reached leaves its intents open. Not on the GUI thread.
    """
    by_source: dict[str, list[Intent]] = {}
    for intent in journal.take_over(source):
        by_source.setdefault(intent.source, []).append(intent)
    found: list[Settled] = []
    for place, intents in by_source.items():
        found += _of_one(journal, cancel, place, intents, factory if place == source else None)
    return found


def _of_one(
    journal: Journal,
    cancel: CancelToken,
    place: str,
    intents: list[Intent],
    factory: Callable[[], Actor] | None,
) -> list[Settled]:
    try:
        with Execution(
            factory or _factory(place), journal, Plan(id="", source=place, environment="", items=()), ""
        ) as run:
            return [Settled(intent, run.settle(intent, cancel)) for intent in intents]
    except PlayheadError as error:
        for intent in intents:
            journal.unsettled(intent)
        outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=(error.message,), pending=LATER)
        return [Settled(intent, outcome) for intent in intents]


def _factory(place: str) -> ActorFactory:
    return actor_of(target_of(place, Saved(), secrets.find(place)))
