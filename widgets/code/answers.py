"""What queries answer at each event of a replay. Pure; no Qt."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

from engine_bridge.replay.model import Answer, Picture, Question


class Answers:
    """Answers by question, in the order of events: each holds from its position on, up to the next."""

    def __init__(self, questions: Sequence[Question] = ()) -> None:
        self.questions = tuple(questions)
        self._all: dict[str, list[Answer]] = {words(question): [] for question in self.questions}

    def add(self, answer: Answer) -> None:
        """Takes an answer in; they come in any order."""
        insort(self._all.setdefault(words(answer), []), answer, key=_position)

    def at(self, position: int | None) -> tuple[dict[str, Picture], dict[str, Picture]]:
        """The answers at a position (None: the newest), and those before; by question."""
        now: dict[str, Picture] = {}
        before: dict[str, Picture] = {}
        for name, found in self._all.items():
            here = len(found) if position is None else bisect_right(found, position, key=_position)
            changed = here > 0 and (position is None or found[here - 1].position == position)
            now[name] = _value(found[here - 1]) if here else _NOT_YET
            earlier = here - 2 if changed else here - 1
            before[name] = _value(found[earlier]) if earlier >= 0 else _NOT_YET
        return now, before


def words(asked: Question | Answer) -> str:
    """ "status", "total(\"EUR\")": a question in one line."""
    args = asked.args.strip()
    return asked.name if args in ("", "[]") else f"{asked.name}({args.removeprefix('[').removesuffix(']')})"


_NOT_YET: Picture = {"t": "not asked yet"}


def _position(answer: Answer) -> int:
    return answer.position


def _value(answer: Answer) -> Picture:
    return {"t": "raised", "r": answer.error} if answer.error else answer.value
