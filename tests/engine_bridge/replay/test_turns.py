"""Turns of an edited history: which steps each brought, whatever engine told them."""

from __future__ import annotations

import msgspec

from engine_bridge.replay.model import Edit, EditKind, End, Outcome, TraceStep, Unfit
from engine_bridge.replay.protocol import Ended, Item, decoder, encoder
from engine_bridge.replay.turns import numbered, turns_of

STEPS = [
    TraceStep(n=n, name=name, kind=kind)
    for n, (name, kind) in enumerate(
        [
            ("charge", "step"),
            ("charged", "workflow task"),
            ("ship", "step"),
            ("waits", "wait"),
            ("bill", "step"),
        ]
    )
]


def _end(*turns: int) -> End:
    return End(outcome=Outcome.STOPPED, turns=turns)


def test_each_turn_has_what_it_told_and_the_commands_up_to_the_next() -> None:
    turns = turns_of(STEPS, _end(1, 3))
    assert [(t.number, t.told.name, [s.name for s in t.commands]) for t in turns] == [
        (0, "charged", ["ship"]), (1, "waits", ["bill"]),
    ]  # fmt: skip


def test_a_trace_without_turns_or_end_has_none() -> None:
    assert turns_of(STEPS, None) == turns_of(STEPS, _end()) == turns_of(STEPS[:2], _end(1, 3)) == []


def test_turns_are_numbered_without_a_gap_and_edits_of_one_stay_together() -> None:
    edits = [Edit(kind="a", turn=4), Edit(kind="b", turn=2), Edit(kind="c", turn=4)]
    assert [(e.kind, e.turn) for e in numbered(edits)] == [("b", 0), ("a", 1), ("c", 1)]


def test_what_comes_of_turns_crosses_the_pipe_whole() -> None:
    kind = EditKind(kind="result", title="Step ship returns", step_id="ship", step=2)
    end = msgspec.structs.replace(_end(1), next=(kind,), unfit=Unfit(turn=2, message="no", hint="yes"))
    told = decoder.decode(encoder.encode(Ended("r", end)))
    assert isinstance(told, Ended) and told.end == end
    item = Item("r", "file", then=(Edit(kind="fired", turn=1),))
    assert msgspec.json.decode(encoder.encode(item), type=Item) == item
    assert b"then" not in encoder.encode(Item("r", "file"))
