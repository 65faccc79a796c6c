"""Events of a server are kept packed: found by their ids, and steps are told of them as of the events themselves."""

from __future__ import annotations

import numpy as np
from temporalio.api.history.v1 import History as Message

from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.client_url import parse
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.engines.temporal.protobuf import scan
from engine_bridge.engines.temporal.server_history import Reading, Shelf
from engine_bridge.engines.temporal.server_pages import Pages
from engine_bridge.history import History
from tests.engines.temporal.files import histories as h


def messages() -> list[Message]:
    """The kitchen in pages of nine events, the second of which is a part that the server lost."""
    events = h.message().events
    found = [Message(events=events[at : at + 9]) for at in range(0, len(events), 9)]
    return [found[0], *found[2:]]


def test_every_event_is_found_by_its_id_loose_and_packed() -> None:
    pages, sent = Pages(), {}
    for message in messages():
        data = message.SerializeToString()
        pages.add(data, scan(data))
        sent.update({event.event_id: event.SerializeToString() for event in message.events})
        assert {event_id: pages.find(event_id) for event_id in sent} == sent
    pages.pack()
    assert {event_id: pages.find(event_id) for event_id in reversed(sent)} == sent
    assert [pages.find(one) for one in (0, 10, max(sent) + 1)] == [None] * 3


def test_steps_that_are_told_from_pages_are_those_that_are_told_from_events() -> None:
    pages = Pages()
    groupers = Grouper(h.REF, pages.recall), Grouper(h.REF)
    histories = History(step_decoder=decode_step), History(step_decoder=decode_step)
    for message in messages():
        data = message.SerializeToString()
        heads = scan(data)
        pages.add(data, heads)
        pages.pack()
        for grouper, history in zip(groupers, histories, strict=True):
            grouper.add(heads)
            history.append(grouper.batch())
    assert histories[0].all_steps() == histories[1].all_steps()
    assert len(histories[0].all_steps()) > 9
    assert np.array_equal(histories[0].steps["status"], histories[1].steps["status"])


def test_events_stay_at_hand_while_their_run_is_followed() -> None:
    shelf, reading = Shelf(), Reading(Client(parse("temporal://127.0.0.1:1/shop")), h.REF)
    data = messages()[0].SerializeToString()
    reading.pages.add(data, scan(data))
    reading.grouper.add(scan(data))
    shelf.put(h.REF, reading)
    assert shelf.take(h.REF, 9) is reading
    found = shelf.find(h.REF, 3)
    assert found is not None and found in data
