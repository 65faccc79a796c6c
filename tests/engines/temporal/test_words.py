"""Words looked for in the records of events, next to a slow and simple look through the decoded events."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionSignaledEventAttributes

from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_read import Foreign
from engine_bridge.engines.temporal.events_text import RecordLooker


def holding(records: list[Any], words: list[str]) -> list[int]:
    """What a looker finds at first, which is what it finds when it was prepared, and of a block that has grown."""
    fresh, prepared, grown = RecordLooker(), RecordLooker(), RecordLooker()
    prepared.prepare(0, records)
    grown.prepare(0, records[:-1])
    found = fresh.holding(0, records, words)
    assert found == fresh.holding(0, records, words)
    assert found == prepared.holding(0, records, words) == grown.holding(0, records, words)
    return found


_TEXT = st.text(st.sampled_from('aAbBzZ1-_"\\/ üÜßé日😀'), max_size=9)


def attributes(payload: str, name: str) -> dict[str, Any]:
    data = base64.b64encode(json.dumps(payload).encode()).decode()
    return {"signalName": name, "input": {"payloads": [{"metadata": {"encoding": "anNvbg=="}, "data": data}]}}


def in_json(payload: str, name: str, indent: int | None = None) -> msgspec.Raw:
    return signalled(attributes(payload, name), indent)


def signalled(inside: dict[str, Any], indent: int | None = None) -> msgspec.Raw:
    event = {
        "eventId": "5", "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
        "workflowExecutionSignaledEventAttributes": inside,
    }  # fmt: skip
    return msgspec.Raw(json.dumps(event, indent=indent).encode())


def in_protobuf(payload: str, name: str) -> bytes:
    given = Payloads(payloads=[Payload(metadata={"encoding": b"json"}, data=json.dumps(payload).encode())])
    return HistoryEvent(
        event_id=5, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        workflow_execution_signaled_event_attributes=WorkflowExecutionSignaledEventAttributes(
            signal_name=name, input=given
        ),
    ).SerializeToString()  # fmt: skip


def in_place(payload: str, name: str) -> Foreign:
    """As the web UI writes decoded payloads."""
    return Foreign(signalled({"signalName": name, "input": {"payloads": [payload]}}))


def in_numbers(payload: str, name: str) -> Foreign:
    """As protobufjs writes bytes."""
    one = {"metadata": {}, "data": list(json.dumps(payload).encode())}
    return Foreign(signalled({"signalName": name, "input": {"payloads": [one]}}))


def as_event(payload: str, name: str) -> RawEvent:
    return RawEvent(5, "WorkflowExecutionSignaled", None, attributes(payload, name))


FORMS = [in_json, lambda a, b: in_json(a, b, 2), in_protobuf, in_place, in_numbers, as_event]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=4), st.data())
def test_each_word_that_a_payload_or_a_name_holds_is_found_in_every_form(
    said: list[tuple[str, str]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(said) - 1))
    word = data.draw(st.sampled_from([word for text in said[at] for word in text.split()] or [""]))
    cut = word[data.draw(st.integers(0, max(0, len(word) - 1))) :]
    other = "".join(one.swapcase() if one != "ß" else one for one in cut)  # that is two letters then
    for form in FORMS:
        records = [(form(payload, f"go{name}"), "step", None) for payload, name in said]
        assert at in holding(records, [other, "GO"]), form


@pytest.mark.parametrize("form", FORMS)
def test_a_word_is_found_wherever_it_stands_in_base64(form: Any) -> None:
    for before in range(6):
        records = [form(f"{'x' * before}Ord-Needle{'y' * after}", "go") for after in range(4)]
        records.append(form(f"{'x' * before}Ord-Noodle", "go"))
        assert holding(records, ["ORD-needle"]) == [0, 1, 2, 3]
        assert holding(records, ["nowhere"]) == []
        assert holding(records, ["go", "Ord-Noodle"]) == [4]


def test_a_word_is_not_made_of_two_payloads_nor_of_base64() -> None:
    event = as_event("x", "go")
    event.attributes["input"]["payloads"] = [{"data": "bmVl"}, {"data": "ZGxl"}]
    assert holding([event], ["needle"]) == holding([event], ["bmVl"]) == []
    assert holding([event], ["nee", "dle"]) == [0]


def test_base64_without_padding_and_of_urls_is_read_too() -> None:
    said = [f"{'~' * n}needle?>" for n in range(6)]
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        events = [as_event("x", "go") for _ in said]
        for event, text in zip(events, said, strict=True):
            event.attributes["input"]["payloads"][0]["data"] = alphabet(text.encode()).decode().rstrip("=")
        assert holding(events, ["NEEDLE?>"]) == list(range(len(said)))
