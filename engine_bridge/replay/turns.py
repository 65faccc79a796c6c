"""Turns of an edited history: which steps of a trace each of them brought. Pure.

A turn is a set of edits that come at once; what the code makes of them is what the next turn edits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from engine_bridge.replay.model import Edit, End, TraceStep

TOLD: Final = frozenset({"wait", "workflow task"})
"""Kinds of steps that are no command of the code."""


@dataclass(frozen=True, slots=True)
class Turn:
    """``told`` is the step that brought the edits of a turn to the code, ``commands`` what the code made of them."""

    number: int
    told: TraceStep
    commands: tuple[TraceStep, ...]


def turns_of(steps: Sequence[TraceStep], end: End | None) -> list[Turn]:
    """The turns of a trace in order; [] where it has none, or is not over."""
    if end is None or not end.turns or end.turns[-1] >= len(steps):
        return []
    ends = [*end.turns[1:], len(steps)]
    return [
        Turn(number, steps[first], tuple(step for step in steps[first:last] if step.kind not in TOLD))
        for number, (first, last) in enumerate(zip(end.turns, ends, strict=True))
    ]


def numbered(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits by turn, with turns numbered from 0 without a gap: after one of them was taken out."""
    found = sorted(edits, key=lambda edit: edit.turn)
    turns = {turn: number for number, turn in enumerate(dict.fromkeys(edit.turn for edit in found))}
    return tuple(msgspec.structs.replace(edit, turn=turns[edit.turn]) for edit in found)
