"""What code would do in an edited history, beside what it did in the recorded one. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from engine_bridge.format import plain
from engine_bridge.replay.model import Edit, Now, Outcome, Was
from engine_bridge.replay.trace import Trace
from engine_bridge.replay.turns import turns_of
from widgets.code.ends import now_words, short_at

NONE = "–"


@dataclass(frozen=True, slots=True)
class Would:
    """``then`` is recorded, ``now`` hypothetical; ``index`` is that of the trace's step, -1 for none.

    A ``heading`` tells the edits of a turn, above what the code makes of them.
    """

    then: str
    now: str
    place: str = ""
    index: int = -1
    heading: bool = False

    @property
    def same(self) -> bool:
        return self.then == self.now


def rows(trace: Trace, was: Sequence[Was], edits: Sequence[str] = ()) -> list[Would]:
    """Commands that no record answers, beside those of the record, both in their order.

    Of several turns all of them, each under its heading; ``edits`` are the words of each turn.
    """
    turns = turns_of(trace.steps, trace.end)
    if len(turns) < 2:
        return _beside(trace, [n for n, step in enumerate(trace.steps) if step.recorded is None], was)
    found = []
    for turn in turns:
        words = edits[turn.number] if turn.number < len(edits) else turn.told.name
        words = f"{'then' if turn.number else 'if'} {words}"
        found.append(Would(NONE, words, index=turn.told.n, heading=True))
        found += _beside(trace, [step.n for step in turn.commands], () if turn.number else was)
    return found


def _beside(trace: Trace, asked: Sequence[int], was: Sequence[Was]) -> list[Would]:
    now, then = [trace.steps[index].name for index in asked], [one.name for one in was]
    found = []
    for _, a, b, c, d in SequenceMatcher(a=then, b=now, autojunk=False).get_opcodes():
        for left, right in zip_longest(range(a, b), range(c, d)):
            index = asked[right] if right is not None else -1
            frame = trace.frame(index)
            place = short_at(frame.file, frame.line) if frame is not None else ""
            found.append(
                Would(then[left] if left is not None else NONE, trace.steps[index].name, place, index)
                if right is not None
                else Would(then[left], NONE)
            )
    return found


def summary(trace: Trace) -> str:
    """What comes of it in the end, in one line; "" while it is replayed."""
    end = trace.end
    if end is None:
        return ""
    if any(step.recorded is None and step.kind == "end" for step in trace.steps):
        return "Then it would be over."
    if end.outcome is Outcome.STOPPED:
        return f"Then it {_would(end.now)}." if end.now is not None else "Then it would go on."
    if end.outcome is Outcome.SAME:
        return "Then it would end."
    if end.divergence is not None:
        return f"It parts from what is recorded before the edit ({end.divergence.kind})."
    return end.error or f"It {end.outcome.value}."


def _would(now: Now) -> str:
    verb, _, rest = now_words(now).partition(" ")
    then = {"waits": "would wait", "sleeps": "would sleep", "is": "would be", "does": "would do"}
    return f"{then.get(verb, verb)} {rest}".strip()


def unfit_words(trace: Trace, edits: Sequence[str]) -> str:
    """Why an edit of a later turn does not fit what the code would do; "" when all do."""
    unfit = trace.end.unfit if trace.end is not None else None
    if unfit is None:
        return ""
    what = edits[unfit.turn] if unfit.turn < len(edits) else "The next edit"
    return f"{what}: does not fit. {unfit.message} {unfit.hint}".strip()


def by_turn(edits: Sequence[Edit], words: Callable[[Edit], str]) -> list[str]:
    """The words of each turn's edits."""
    turns: dict[int, list[str]] = {}
    for edit in edits:
        turns.setdefault(edit.turn, []).append(words(edit))
    return ["; ".join(some) for _, some in sorted(turns.items())]


def edit_words(edit: Edit, title: str = "") -> str:
    """ "A signal arrives: approve true"."""
    head = title or f"{edit.kind} {edit.step_id}".replace("_", " ").strip()
    value = " ".join(part for part in (edit.name, " ".join(edit.value.split())) if part)
    return plain(f"{head}: {value}" if value else head, 160)
