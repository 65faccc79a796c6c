"""What a history holds at a step of the trace, in words. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine_bridge.history import History
from engine_bridge.model import PayloadRef, Step
from engine_bridge.replay.model import End, TraceStep
from engine_bridge.replay.turns import TOLD
from widgets.code.ends import now_words


@dataclass(frozen=True, slots=True)
class Record:
    """``state`` gives the glyph and colour (of a step's status, or a token)."""

    state: str
    words: str
    result: PayloadRef | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """Of an edited history: ``cut`` is the last position that is recorded, ``words`` tell the edits by step.

    ``since`` is the first step that is hypothetical, None while nobody knows.
    """

    cut: int | None
    words: Mapping[str, str]
    since: int | None = None


def record_of(
    step: TraceStep, history: History | None, end: End | None, edited: Edited | None = None
) -> Record:
    """The recorded step beside what the code asked for; ``edited`` where it is a hypothetical one."""
    found = _step(step, history)
    if edited is not None and (words := _hypothetical(step, found, edited)):
        return Record("signal", f"hypothetical: {words}")
    if step.recorded is None:
        now = end.now if end is not None else None
        if now is not None and now.step_id == step.step_id:
            return Record("waiting", f"not recorded yet: the run {now_words(now)}")
        return Record("waiting", "not recorded yet")
    if found is None:
        return Record("muted", f"recorded as {step.recorded}")
    same = step.recorded in (step.name, found.name)
    state = found.status.value if same else "failed"
    words = f"{found.status.value} as recorded" if same else f"history has {step.recorded} here"
    return Record(state, words, found.output or found.error)


def _hypothetical(step: TraceStep, found: Step | None, edited: Edited) -> str:
    if step.step_id in edited.words:
        return edited.words[step.step_id]
    made = edited.since is not None and step.n >= edited.since
    if step.recorded is None or (made and step.kind not in TOLD):
        return "the code would do this"
    beyond = edited.cut is not None and step.position is not None and step.position > edited.cut
    return "it comes of the edit" if beyond or (step.step_id and found is None) else ""


def _step(step: TraceStep, history: History | None) -> Step | None:
    row = history.step_row(step.step_id) if history is not None and step.step_id else -1
    return history.step(row) if history is not None and row >= 0 else None
