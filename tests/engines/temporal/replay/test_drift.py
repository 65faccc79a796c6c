"""What Temporal passes in silence: other inputs, time-outs, durations, order, results."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Outcome, Picture
from tests.engines.dbos.replay.replays import All
from tests.engines.temporal.replay.replays import APPS, Edits, changed, input_of


class Silent(NamedTuple):
    """An edit that core does not see, and the drift that it must be told as."""

    run: str
    change: tuple[str, str]
    what: str
    event: str
    recorded: Picture
    replayed: Picture
    note: str = ""


def _list(*items: Picture) -> Picture:
    return {"t": "list", "n": len(items), "i": list(items)}


EDITS = [
    Silent("input", ("[order, amount]", "[order, amount + 1]"), "input", "31", _list("o-1", 3), _list("o-1", 4)),
    Silent("timeout", ("amount], start_to_close_timeout=SHORT", "amount], start_to_close_timeout=2 * SHORT"),
           "timeout", "31", 10.0, 20.0, "start to close timeout"),
    Silent("heartbeat", ("amount], start", "amount], heartbeat_timeout=SHORT / 2, start"), "timeout", "31", 0.0, 5.0,
           "heartbeat"),
    Silent("timer", ("sleep(0.05)", "sleep(50)"), "timer", "22", 0.05, 50.0, "seconds"),
    Silent("result", ("{shipped}; {bill}", "{bill}"), "result", "76", "o-1/0,o-1/1,o-1/2; invoice of o-1; 3",
           "invoice of o-1; 3"),
    Silent("child-input", ("Invoice.run, order,", "Invoice.run, order + '!',"), "input", "61", "o-1", "o-1!"),
    Silent("queue", ("ship, list(parcels)", "ship, list(parcels), task_queue='other'"), "task queue", "70", "replays",
           "other"),
    Silent("update-result", ("return old", "return old + '!'"), "update result", "18", "", "!"),
]  # fmt: skip
ORDER = ("for part in range(3)", "for part in reversed(range(3))")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> All:
    """All edits, replayed in one process."""
    edits = Edits(APPS / "order.py", "Order")
    for edit in EDITS:
        edits.add(edit.run, input_of("order"), edit.change)
    edits.add("order-changed", input_of("order"), ORDER)
    edits.add("spaced", changed(input_of("order"), "order", _space_out))
    return edits.replay(tmp_path_factory.mktemp("drift"), options={"sandbox": False})


def _space_out(events: object) -> None:
    """The same values, written otherwise."""
    for event in events:  # type: ignore[attr-defined]  # a list of protobuf
        payloads = event.activity_task_scheduled_event_attributes.input.payloads
        for payload in payloads:
            payload.data = payload.data.replace(b",", b" , ").replace(b":", b" : ")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.run)
def test_what_core_passes_in_silence_is_told(told: All, edit: Silent) -> None:
    end = told[edit.run].end
    assert end.outcome is Outcome.SAME
    assert [(d.what, d.step_id, d.recorded, d.replayed) for d in end.drift] == [
        (edit.what, edit.event, edit.recorded, edit.replayed)
    ]
    assert edit.note in end.drift[0].note
    step = next(step for step in told[edit.run].steps if step.drift)
    assert step.step_id == edit.event and step.drift == end.drift


def test_inputs_that_changed_places_are_another_order(told: All) -> None:
    drift = told["order-changed"].end.drift
    assert [(d.what, d.step_id) for d in drift] == [("order", "37"), ("order", "39")]
    assert drift[0].note == "event 39 of the history got this input: the order changed"


def test_how_json_is_written_does_not_matter(told: All) -> None:
    assert told["spaced"].end.outcome is Outcome.SAME
    assert not told["spaced"].end.drift
