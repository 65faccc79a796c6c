"""The same history in every dialect: the same events, the same steps, the same header."""

from __future__ import annotations

import pytest

from engine_bridge.codes import EVENT_KINDS
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_run import header
from engine_bridge.model import Event
from engine_bridge.payloads import decode
from tests.engines.temporal.files import histories as h


def _said(event: Event) -> tuple[object, ...]:
    trees = [(ref.label, ref.encoding, decode(ref.head or b"", ref.encoding).tree) for ref in event.payloads]
    shown = {key: str(value) for key, value in event.attributes.items()}
    return (
        event.position, event.kind, event.name, event.time_ns, event.step_id, event.step_name, event.status,
        event.attempt, event.detail, trees, event.failure, event.ref, shown,
    )  # fmt: skip


@pytest.mark.parametrize("name", h.DIALECTS)
def test_every_dialect_gives_the_same_steps(name: str) -> None:
    expected, found = h.history_of(h.dialect("cli.json")), h.history_of(h.DIALECTS[name]())
    assert h.told(found) == h.told(expected)
    for column, values in expected.steps.items():
        assert found.steps[column].tolist() == values.tolist(), column


@pytest.mark.parametrize("name", h.DIALECTS)
def test_every_dialect_gives_the_same_events(name: str) -> None:
    expected, found = h.history_of(h.dialect("cli.json")), h.history_of(h.DIALECTS[name]())
    for mine, theirs in zip(found.all_events(), expected.all_events(), strict=True):
        assert _said(mine) == _said(theirs)
    for column, values in expected.events.items():
        assert found.events[column].tolist() == values.tolist(), column


@pytest.mark.parametrize("name", h.DIALECTS)
def test_every_dialect_is_whole_and_has_the_same_header(name: str) -> None:
    found = h.one(h.DIALECTS[name]())
    assert (found.lost, found.missing, found.whole, found.notes) == (0, 0, True, ())
    grouper = Grouper(h.REF)
    grouper.add(found.heads)
    run = header(grouper)
    assert (run.type, run.status.value, run.engine_status) == ("Kitchen", "continued", "ContinuedAsNew")
    assert run.queue == "tq" and run.attempts == 1 and run.steps_done == 7
    assert run.extra["sdk"] == "temporal-python 1.35.0" and run.extra["history_length"] == 62
    assert run.input is not None and run.input.head == b"1"


@pytest.mark.parametrize("name", h.DIALECTS)
def test_every_dialect_reaches_the_normal_form(name: str) -> None:
    """RawEvents are protobuf JSON: the API's own parser reads them all, into the same message."""
    from google.protobuf.json_format import ParseDict
    from temporalio.api.history.v1 import HistoryEvent

    from engine_bridge.engines.temporal.events import attributes_key

    for record, expected in zip(h.one(h.DIALECTS[name]()).heads.record, h.message().events, strict=True):
        event = event_of(record)
        parsed = HistoryEvent()
        inside = {attributes_key(event.type): event.attributes, **event.more}
        ParseDict({key: value for key, value in inside.items() if key != "version"}, parsed)
        for field in ("event_id", "event_time", "event_type", "version"):
            parsed.ClearField(field)
            expected.ClearField(field)
        if name not in ("server_http.json", "readable", "old enums"):
            assert parsed == expected


def test_kinds_of_events_are_those_of_the_kitchen() -> None:
    history = h.history_of(h.dialect("cli.json"))
    kinds = [EVENT_KINDS[code].value for code in history.events["kind"].tolist()]
    assert kinds.count("step completed") == 4 and kinds.count("signal received") == 2
    assert kinds[0] == "run started" and kinds[-1] == "run continued" and kinds[1] == "worker task"
