"""Runner part: edits upon edits: what the code answered becomes history, is edited in turn, and replayed again."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

from engine_bridge.engines.temporal.replay_parts.answering import Answering
from engine_bridge.engines.temporal.replay_parts.edits import ENDING, change, named_step, step_and_name
from engine_bridge.engines.temporal.replay_parts.locally import Local, LocalEnd
from engine_bridge.engines.temporal.replay_parts.offers import Offer, offers_next, recorded_result
from engine_bridge.engines.temporal.replay_parts.onward import Onward
from engine_bridge.engines.temporal.replay_parts.recorded import Recorded, type_names
from engine_bridge.engines.temporal.replay_parts.script import Script, UnfitError
from engine_bridge.engines.temporal.replay_parts.things import every_thing
from engine_bridge.engines.temporal.replay_parts.values import json_texts
from engine_bridge.engines.temporal.replay_parts.walk import Walk

_EMPTY = {"kind": "", "position": None, "step_id": "", "name": "", "value": "", "turn": 0, "seq": None}
AS_RECORDED = "recorded"
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
        self._onward = Onward(events, rest)
        self._went_on = -1
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
        if any(edit.kind == AS_RECORDED for edit in edits):
            return self._go_on(turn, edits, walk, found)
        try:
            script = self._answered(walk, found)
            for edit in edits:
                _pin(script, edit)
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

    def _go_on(self, turn: int, edits: list[Any], walk: Walk, found: dict[str, Any]) -> bool:
        """As it was recorded, as far as that goes: one workflow task, after which there may be another."""
        first, self._went_on = self._went_on != turn, turn
        try:
            until = _until(next(edit for edit in edits if edit.kind == AS_RECORDED))
            if len(edits) > 1:
                raise UnfitError(
                    "What was recorded comes in turns of its own.", "Make the other edit a turn."
                )
            script = self._answered(walk, found)
            if not self._onward.take(script, until):
                raise UnfitError("Nothing that was recorded is what the code waits for.")
        except UnfitError as error:
            self.unfit = {"turn": turn, "message": error.message, "hint": error.hint} if first else None
            return not first
        self.left.insert(0, (turn, edits))
        if script.given:
            begins = len(self.recorded.tasks), len(self.given) + 1
            self.given += script.given
        else:
            self.recorded, self.given = Recorded(script.whole(), type_names()), []
            begins = len(self.recorded.tasks), 0
        self._begun += [begins] if first else []
        return True

    def _answered(self, walk: Walk, found: dict[str, Any]) -> Script:
        """The history so far and what the code answered last. Raises UnfitError when the code does not go on."""
        if walk.failure is not None:
            raise UnfitError("The workflow task before fails: a server would try it again and again.")
        if found["outcome"] != "stopped" or walk.ended:
            why = _STOPS.get("same" if walk.ended else found["outcome"], "The code does not get that far.")
            raise UnfitError(why, "Remove this edit, or change one before it.")
        events = [type(event).FromString(event.SerializeToString()) for event in self.recorded.raw]
        script, answer = Script(events, walk.local()), walk.answers[-1]
        known = {event.event_id: event for event in events}
        before = [(known[one.event.id], one.n) for one in walk.commands.values() if one.event is not None]
        writing = Answering(script, answer.asked, walk.commands, answer.flags, self._rest)
        writing.write()
        script.events = script.whole()
        script.steps = {event.event_id: n for event, n in [*before, *writing.written]}
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
            return offers_next(self._answered(walk, found), self._known, self._onward.is_left)
        except UnfitError:
            return []

    def told(self, walk: Walk) -> dict[str, Any]:
        """The steps at which turns begin, and why one could not."""
        tasks = list(self.recorded.tasks)
        steps = [walk.began.get((tasks[number - 1], given), -1) for number, given in self._begun]
        told: dict[str, Any] = {"turns": [n for n in steps if n >= 0]}
        return {**told, "unfit": self.unfit} if self.unfit is not None else told


def _until(edit: Any) -> int | None:
    """The event up to which it goes on as recorded, None for all of them. Raises UnfitError."""
    if edit.position is not None or not edit.value.strip():
        return edit.position if edit.position is None else int(edit.position)
    if not edit.value.strip().isdigit():
        raise UnfitError("Up to which event?", "Give its number, as the record has it.")
    return int(edit.value)


def _pin(script: Script, edit: Any) -> None:
    """The second of a name is the second before any edit of the same turn."""
    step, name = step_and_name(edit)
    if edit.kind in ENDING and edit.position is None and step.rpartition("#")[2].isdigit() and "#" in step:
        found = named_step(script, step)
        edit.step_id, edit.name = step, name
        if isinstance(found, Local):
            edit.seq = found.seq
        else:
            edit.position = script.events[found.begins].event_id


def _for_local(script: Script, edit: Any) -> bool:
    """Whether an edit is for a local activity, which no event tells of."""
    if not script.local or edit.kind not in ENDING or edit.position is not None:
        return False
    step, _ = step_and_name(edit)
    return edit.seq is not None or (not step.isdigit() and isinstance(named_step(script, step), Local))


def _known(events: list[Any]) -> dict[str, str]:
    """Results that are recorded, by what returned them, and by its name alone the last."""
    script, found = Script(events), dict[str, str]()
    for thing in every_thing(script).values():
        event = script.events[thing.ended]
        if thing.ended >= 0 and thing.form.by_kind.get("result") == script.type_of(event):
            value = recorded_result(thing.form.word, script.about(event))
            found |= {thing.named(script): value, f"{thing.named(script)} {thing.known_by(script)}": value}
    local = (event for event in Recorded(events, type_names()).events if event.is_local)
    for event in local:
        payloads = event.about.details["result"].payloads if "result" in event.about.details else ()
        if payloads:
            value = json_texts(payloads, one=True)
            named = Local(int(event.marked.get("seq") or 0), event.name)
            found |= {named.named(script): value, f"{named.named(script)} {named.known_by(script)}": value}
    return found
