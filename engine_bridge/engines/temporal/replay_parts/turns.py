"""Runner part: edits upon edits: what the code answered becomes history, is edited in turn, and replayed again."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

from engine_bridge.engines.temporal.replay_parts.answering import Answering
from engine_bridge.engines.temporal.replay_parts.edits import change, named_step
from engine_bridge.engines.temporal.replay_parts.locally import Local, LocalEnd
from engine_bridge.engines.temporal.replay_parts.offers import Offer, offers_next, recorded_result
from engine_bridge.engines.temporal.replay_parts.recorded import Recorded, type_names
from engine_bridge.engines.temporal.replay_parts.script import Script, UnfitError
from engine_bridge.engines.temporal.replay_parts.things import thing_at
from engine_bridge.engines.temporal.replay_parts.values import json_texts
from engine_bridge.engines.temporal.replay_parts.walk import Walk

_EMPTY = {"kind": "", "position": None, "step_id": "", "name": "", "value": "", "turn": 0}
_STOPS = {
    "same": "The run is over by then.",
    "diverged": "The code parts from what is recorded before that.",
    "blocked": "The code tried what only an activity may do, before that.",
    "failed": "The code could not be replayed up to there.",
}


class Turns:
    """The edited history as it grows by turns. ``given`` are ends of local activities in its last workflow task."""

    def __init__(self, events: list[Any], rest: list[Any], then: list[dict[str, Any]]) -> None:
        self.recorded = Recorded(events, type_names())
        self.given: list[LocalEnd] = []
        self._ended: dict[int, set[int]] = {}
        self._rest = Script(rest)
        self._known = _known([*events, *rest])
        edits = [SimpleNamespace(**{**_EMPTY, **edit}) for edit in then]
        self.left = [(turn, list(some)) for turn, some in groupby(edits, key=lambda edit: edit.turn)]
        self._begun = [(len(self.recorded.tasks), 0)]
        """Where each turn begins: in which workflow task, counted from 1, and behind how many local ends in it."""
        self.unfit: dict[str, Any] | None = None

    @property
    def last(self) -> int:
        """The event that began the last workflow task."""
        return len(self.recorded.raw)

    @property
    def ended_locally(self) -> set[int]:
        """Numbers of the local activities of which the history tells an end."""
        found = self._ended.get(self.last)
        if found is None:
            seqs = (event.marked.get("seq") for event in self.recorded.events if event.is_local)
            found = self._ended[self.last] = {int(seq) for seq in seqs if seq is not None}
        return found

    def take(self, walk: Walk, found: dict[str, Any]) -> bool:
        """Takes the next turn upon what the code has just answered; False when it does not fit, which is kept."""
        turn, edits = self.left.pop(0)
        try:
            script = self._answered(walk, found)
            local = [edit for edit in edits if _for_local(script, edit)]
            if local:
                self._locally(script, local)
                edits = [edit for edit in edits if edit not in local]
                if edits:
                    self.left.insert(0, (turn, edits))
            else:
                self._edit(script, edits)
        except UnfitError as error:
            self.unfit = {"turn": turn, "message": error.message, "hint": error.hint}
        return self.unfit is None

    def _answered(self, walk: Walk, found: dict[str, Any]) -> Script:
        """The history so far and what the code answered last. Raises UnfitError when the code does not go on."""
        if walk.failure is not None:
            raise UnfitError("The workflow task before fails: a server would try it again and again.")
        if found["outcome"] != "stopped" or walk.ended:
            why = _STOPS.get("same" if walk.ended else found["outcome"], "The code does not get that far.")
            raise UnfitError(why, "Remove this edit, or change one before it.")
        events = [type(event).FromString(event.SerializeToString()) for event in self.recorded.raw]
        script, answer = Script(events, walk.local()), walk.answers[-1]
        Answering(script, answer.asked, walk.commands, answer.flags, self._rest).write()
        script.events = script.whole()
        return script

    def _locally(self, script: Script, edits: list[Any]) -> None:
        """Ends of local activities: they come in the workflow task that is under way."""
        for edit in edits:
            change(script, edit)
        self._begun.append((len(self.recorded.tasks), len(self.given) + 1))
        self.given += script.given

    def _edit(self, script: Script, edits: list[Any]) -> None:
        for edit in edits:
            change(script, edit)
        events = script.whole()
        self.recorded, self.given = Recorded(events, type_names()), []
        self._begun.append((len(self.recorded.tasks), 0))

    def next(self, walk: Walk, found: dict[str, Any]) -> list[Offer]:
        """What can be made of what the code answered last."""
        try:
            return offers_next(self._answered(walk, found), self._known)
        except UnfitError:
            return []

    def told(self, walk: Walk) -> dict[str, Any]:
        """The steps at which turns begin, and why one could not."""
        tasks = list(self.recorded.tasks)
        steps = [walk.began.get((tasks[number - 1], given), -1) for number, given in self._begun]
        told: dict[str, Any] = {"turns": [n for n in steps if n >= 0]}
        return {**told, "unfit": self.unfit} if self.unfit is not None else told


def _for_local(script: Script, edit: Any) -> bool:
    """Whether an edit is for a local activity, which no event tells of."""
    if not script.local or edit.kind not in ("result", "failure", "timeout", "cancelled") or edit.position:
        return False
    step = edit.step_id or edit.name.partition(":")[0]
    return not step.isdigit() and isinstance(named_step(script, step), Local)


def _known(events: list[Any]) -> dict[str, str]:
    """Results that are recorded, by what returned them: the last of each."""
    script, found = Script(events), {}
    for place, event in enumerate(script.events):
        thing = thing_at(script, place) if script.type_of(event).endswith("Completed") else None
        if thing is not None and thing.form.by_kind.get("result") == script.type_of(event):
            found[thing.named(script)] = recorded_result(thing.form.word, script.about(event))
    local = (event for event in Recorded(events, type_names()).events if event.is_local)
    for event in local:
        payloads = event.about.details["result"].payloads if "result" in event.about.details else ()
        if payloads:
            found[Local(0, event.name).named(script)] = json_texts(payloads, one=True)
    return found
