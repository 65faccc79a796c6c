"""History and code beside each other around the step where they part. Pure; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from engine_bridge.history import History
from engine_bridge.replay.model import Divergence, Place

BEFORE: Final = 5
AFTER: Final = 4
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Pair:
    """A step of the history and what the code does there. ``mark`` is same, parts (they differ) or unreached."""

    step_id: str
    expected: str
    actual: str
    mark: str


def pairs(divergence: Divergence, history: History | None) -> list[Pair]:
    """Some steps before, the one where they part, and some that the code did not come to."""
    parts = Pair(divergence.step_id, divergence.expected or NOTHING, divergence.actual or NOTHING, "parts")
    if history is None:
        return [parts]
    row = history.step_row(divergence.step_id) if divergence.step_id else -1
    at = row if row >= 0 else history.n_steps
    said = (divergence.expected, divergence.actual)
    before = [_recorded(history, n, "same", said) for n in range(max(0, at - BEFORE), at)]
    # A step too many stands before the one that the history has there; otherwise it stands for it.
    first = at + 1 if row >= 0 else at
    last = min(first + AFTER, history.n_steps)
    return [*before, parts, *(_recorded(history, n, "unreached", said) for n in range(first, last))]


def _recorded(history: History, row: int, mark: str, said: tuple[str, ...]) -> Pair:
    """A step as the runner would say it: by the engine's name for it, or by its kind and name."""
    step = history.step(row)
    name, kind = step.engine_name or step.name, step.engine_name
    if kind and kind != step.name and any(words.startswith(f"{kind} ") for words in said):
        name = f"{kind} {step.name}"
    return Pair(step.id, name, name if mark == "same" else NOTHING, mark)


def event_words(divergence: Divergence) -> str:
    """The event of the history where they part."""
    if divergence.position is not None:
        return f"event {divergence.position}"
    return f"step {divergence.step_id}" if divergence.step_id else "the end of the run"


def title(divergence: Divergence, at: Place) -> str:
    """ "extra step at step 7 of the history, orders.py:92"."""
    where = f", {PurePath(at.file).name}:{at.line}" if at.line else ""
    return f"{divergence.kind} at {event_words(divergence)}{where}"


def sentence(divergence: Divergence) -> str:
    """Both sides in one sentence: the runner's own words, where it has some."""
    if divergence.message:
        return divergence.message
    has = divergence.expected or "nothing"
    does = divergence.actual or "nothing more"
    return f"The history has {has} there, the code has {does}."


def advice(divergence: Divergence) -> tuple[tuple[str, str], ...]:
    """What one can do about it: a short name and a sentence each. It depends on no engine."""
    step = f"step {divergence.step_id}" if divergence.step_id else "the step where they part"
    return (
        (
            "Patch",
            "Put the change behind a patch (a version marker), so that runs which began before go the old way.",
        ),
        ("Old version", "Let the runs that are under way finish on the old version: keep a worker of it."),
        (
            "Fork, reset",
            f"After the deploy, fork or reset the run at {step}: what is before is kept, the rest executed again.",
        ),
    )
