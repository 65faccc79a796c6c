"""All that the SDK offers, recorded by a real worker: no false alarm, whole and cut anywhere, and no hang."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from engine_bridge.engines.temporal.replay_parts.script import Script
from engine_bridge.engines.temporal.what_if import edited, offered
from engine_bridge.replay.model import Edit, Outcome, ReplayInput
from tests.engines.dbos.replay.replays import All
from tests.engines.temporal.replay.replays import APPS, changed, input_of, replay

VARIETY = APPS / "variety.py"
RUNS = (
    "local", "parent", "marked", "scopes", "chances", "stumbles", "outward", "again", "updated", "dynamic",
    "conditions", "patched", "reset", "twice",
)  # fmt: skip


@pytest.fixture(scope="module")
def told() -> All:
    """Every run, and what messages do that were never sent to two of them."""
    updated = changed(input_of("updated"), "updated", _cut(9))
    begun = changed(input_of("conditions"), "conditions", _cut(3))
    messages = {
        "rejected": edited(updated, [Edit(kind="update", name="put", value='{"cents": -1}')]),
        "accepted": edited(updated, [Edit(kind="update", name="put", value='{"cents": 5}')]),
        "dropped": edited(begun, [Edit(kind="signal", name="push", value='"x"')]),
    }
    inputs = [msgspec.structs.replace(item, run_id=name) for name, item in messages.items()]
    return replay([*(input_of(run) for run in RUNS), *inputs], VARIETY, options={"sandbox": False})


@pytest.mark.parametrize("run", RUNS)
def test_no_false_alarm(told: All, run: str) -> None:
    end = told[run].end
    assert end.outcome is Outcome.SAME, end
    assert not end.drift and not end.blocked and not end.notes, end


def test_a_validator_judges_an_update_that_was_never_sent(told: All) -> None:
    for run in ("rejected", "accepted"):
        assert [step.name for step in told[run].steps if step.recorded is None] == [f"{run} update"]


def test_a_signal_that_the_sdk_drops_is_told(told: All) -> None:
    assert told["dropped"].end.outcome is Outcome.STOPPED
    assert "Signal push is dropped, since its arguments do not fit" in told.printed


def test_interceptors_are_part_of_the_code() -> None:
    options = {"interceptors": f"{VARIETY}:auditors"}
    end = replay([input_of("audited")], VARIETY, options=options)["audited"].end
    assert end.outcome is Outcome.SAME and not end.drift, end


def _cut(count: int) -> Callable[[Any], None]:
    def cut(events: Any) -> None:
        del events[count:]

    return cut


def _events(run: str) -> Script:
    from temporalio.api.history.v1 import History

    return Script(History.FromString(input_of(run).data.partition(b"\n")[2]).events)


def _prefixes() -> Iterator[ReplayInput]:
    """Every run up to every event that a worker could have seen last."""
    for run in RUNS:
        script = _events(run)
        for count in range(3, len(script.events) + 1):
            if (
                script.behind_answer(count) == count
                or script.type_of(script.events[count - 1]) == "WorkflowTaskStarted"
            ):
                yield changed(input_of(run), f"{run}-{count}", _cut(count))


@pytest.mark.long
def test_no_false_alarm_in_the_sandbox() -> None:
    told = replay([input_of(run) for run in RUNS], VARIETY)
    for run in RUNS:
        assert told[run].end.outcome is Outcome.SAME and not told[run].end.drift, (run, told[run].end)


@pytest.mark.long
@pytest.mark.parametrize("record", ["full", "places"])
def test_no_false_alarm_wherever_a_history_breaks_off(record: str) -> None:
    inputs = list(_prefixes())
    told = replay(inputs, VARIETY, options={"sandbox": False}, record=record)
    assert len(inputs) > 400
    for item in inputs:
        end = told[item.run_id].end
        assert end.outcome in (Outcome.STOPPED, Outcome.SAME) and not end.drift, (item.run_id, end)


def _edits() -> Iterator[ReplayInput]:
    """Every edit that is offered at any event of any run."""
    for run in RUNS:
        seen = set()
        for position in range(1, len(_events(run).events) + 1):
            for kind in offered(input_of(run), position):
                if (kind.kind, kind.position) in seen:
                    continue
                seen.add((kind.kind, kind.position))
                name = (*kind.names, "push")[0] if "name" in kind.needs else ""
                value = kind.value or ("1" if "value" in kind.needs else "")
                edit = Edit(kind=kind.kind, position=kind.position, name=name, value=value)
                yield msgspec.structs.replace(
                    edited(input_of(run), [edit]), run_id=f"{run} {kind.kind} {kind.position}"
                )


@pytest.mark.long
def test_every_edit_leads_to_commands_and_never_to_an_alarm() -> None:
    inputs = list(_edits())
    told = replay(inputs, VARIETY, options={"sandbox": False}, record="places")
    found = Counter(item.run_id.split()[1] for item in inputs)
    assert len(inputs) > 1500 and min(found.values()) > 0
    for item in inputs:
        assert told[item.run_id].end.outcome is Outcome.STOPPED, (item.run_id, told[item.run_id].end)
