"""How a replay ended, in words: what happened, what it means, what to do. Pure; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from engine_bridge.format import count
from engine_bridge.replay.model import Drift, End, Now, Outcome, Place

NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Ending:
    """``title`` is one line for the bar; ``text`` and ``hint`` fill the band below it, "" for no band."""

    glyph: str
    tone: str
    title: str
    text: str = ""
    hint: str = ""
    place: Place = NOWHERE
    stack: str = ""


def short(place: Place) -> str:
    """ "orders.py:122"; "" where it is not known."""
    return short_at(place.file, place.line)


def short_at(file: str, line: int) -> str:
    """As ``short``."""
    name = PurePath(file).name
    return f"{name}:{line}" if line else name


def now_words(now: Now) -> str:
    """What a waiting run does: "waits at orders.py:122 in recv"."""
    at = f" at {short(now.at)}" if now.at.line else ""
    what = now.what.removesuffix(f" (line {now.at.line})")  # said already
    match now.kind:
        case "sleeping":
            return f"sleeps{at}"
        case "child":
            return f"waits{at} for its child: {what}" if what else f"waits{at} for its child"
        case "step":
            return f"is at work{at} in {what}"
        case "queued":
            return "is queued: no line has run yet"
        case "nothing":
            return f"does nothing{at}"
        case _:
            return f"waits{at} in {what}"


def ending(end: End) -> Ending:
    """The words of an end."""
    steps = f"{count(end.steps)} step{'s' if end.steps != 1 else ''}"
    drift = f" · {len(end.drift)} drift{'s' if len(end.drift) != 1 else ''}" if end.drift else ""
    match end.outcome:
        case Outcome.SAME:
            title = f"replayed {steps} to the recorded end{drift}"
            return Ending("completed", "completed", title, "\n".join(end.notes))
        case Outcome.STOPPED:
            now = f" · {now_words(end.now)}" if end.now is not None else ""
            at = end.now.at if end.now is not None else Place()
            title = f"replayed {steps}{now}{drift}"
            return Ending("clock", "waiting", title, "\n".join(end.notes), place=at)
        case Outcome.DIVERGED:
            return _diverged(end, steps)
        case Outcome.BLOCKED:
            return _blocked(end, steps)
        case Outcome.CANCELLED:
            return Ending("cancelled", "cancelled", f"cancelled after {steps}", stack=end.stack)
        case _:
            return _broken(end, steps)


def _diverged(end: End, steps: str) -> Ending:
    found = end.divergence
    if found is None:
        return Ending(
            "failed", "failed", f"diverged after {steps}", end.error or "The code left the history."
        )
    text = f"Code and history part ({found.kind}): history has {found.expected or 'nothing'}, "
    text += f"the code {'does ' + found.actual if found.actual else 'does nothing more'}."
    hint = "This run would fail when this code takes it up: keep the old way for it (a patch or version), or fork it."
    at = f" at {short(found.at)}" if found.at.line else ""
    return Ending("failed", "failed", f"diverged{at} after {steps}", text, hint, found.at, end.stack)


def _blocked(end: End, steps: str) -> Ending:
    what = end.blocked[0] if end.blocked else None
    at = what.at if what is not None else Place()
    where = f" at {short(at)}" if at.line else ""
    text = f"Workflow code had a side effect{where}: it {what.what}." if what is not None else end.error
    hint = "It was stopped. Each replay and each recovery would do it again: move it into a step."
    return Ending(
        "terminated", "failed", f"a side effect was blocked after {steps}", text, hint, at, end.stack
    )


_TITLES: Final = {
    Outcome.HUNG: ("timed_out", "hung"),
    Outcome.CRASHED: ("failed", "the process crashed"),
    Outcome.FAILED: ("warning", "the replay failed"),
}


def _broken(end: End, steps: str) -> Ending:
    glyph, words = _TITLES.get(end.outcome, ("warning", end.outcome.value))
    title = f"{words} after {steps}" if end.steps else words
    hint = end.hint or ("Everything recorded so far is kept." if end.steps else "")
    return Ending(glyph, "failed", title, end.error or f"{words.capitalize()}.", hint, stack=end.stack)


def drift_words(drift: Drift) -> str:
    """What of a step is not as it was, in one line."""
    from widgets.code.pictures import words

    values = f": recorded {words(drift.recorded)[0]}, now {words(drift.replayed)[0]}"
    known = drift.recorded is not None or drift.replayed is not None
    note = f" ({drift.note})" if drift.note else ""
    return f"another {drift.what}{values if known else ''}{note}"
