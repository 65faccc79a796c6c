"""Damaged histories: no crash, no hang, and nothing is lost without a word."""

from __future__ import annotations

import gzip
import json
import random
import time
from typing import Any

import pytest

from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_run import header
from engine_bridge.engines.temporal.load import Loaded, load
from engine_bridge.errors import CorruptError
from engine_bridge.playback import state_at
from engine_bridge.steps import lanes
from tests.engines.temporal.files import histories as h

SMALL, FULL = 300, 10_000
_WORDS = (
    "",
    "x",
    "EVENT_TYPE_NEW",
    "0",
    "-1",
    "99999999999999999999",
    "1e400",
    "2020-01-01",
    "💥" * 3,
    "\u0000",
    "\ud800",
)
_THINGS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1.5,
    "text",
    [],
    {},
    [1, 2],
    {"payloads": 3},
    {"seconds": "x"},
    [[]],
)


def _mutate(events: list[Any], rng: random.Random) -> tuple[list[Any], int]:
    """Events with one to four faults, and how many entries there are then."""
    for _ in range(rng.randint(1, 4)):
        if not events:
            break
        at = rng.randrange(len(events))
        kind = rng.randrange(8)
        if kind == 0:
            del events[at]
        elif kind == 1:
            events.insert(at, events[rng.randrange(len(events))])
        elif kind == 2:
            other = rng.randrange(len(events))
            events[at], events[other] = events[other], events[at]
        elif kind == 3:
            events[at] = rng.choice(_THINGS)
        else:
            events[at] = _inside(json.loads(json.dumps(events[at])), rng)
    return events, len(events)


def _inside(value: Any, rng: random.Random, depth: int = 0) -> Any:
    """A value with one thing in it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            value[rng.choice(_WORDS)] = value.pop(key)
        elif rng.random() < 0.1:
            del value[key]
        else:
            value[key] = _inside(value[key], rng, depth + 1)
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        value[at] = _inside(value[at], rng, depth + 1)
        return value
    return rng.choice(_THINGS) if rng.random() < 0.5 else rng.choice(_WORDS)


def _look(found: Loaded) -> None:
    """Everything that the window does with a history."""
    history = h.grouped(found)
    assert len(history) == len(found.heads)
    for event in history.all_events():
        assert event.name
    for row, step in enumerate(history.all_steps()):
        assert history.step_row(step.id) == row
    lanes(history)
    state_at(history, history.last_position // 2)
    grouper = Grouper(h.REF)
    grouper.add(found.heads)
    header(grouper)


def _loaded(data: bytes) -> list[Loaded]:
    try:
        return load(data)
    except CorruptError as error:
        assert error.message and error.hint
        return []


def _texts() -> list[list[Any]]:
    found = [h.events(), json.loads(h.readable())["events"], json.loads(h.dialect("ui_raw.json"))]
    found += [json.loads(gzip.decompress(path.read_bytes())) for path in h.CORPUS if ".json" in path.name][
        :20
    ]
    return [one if isinstance(one, list) else one.get("events") or one["history"]["events"] for one in found]


def _rounds(seed: int, rounds: int) -> None:
    rng, sources = random.Random(seed), [json.dumps(one) for one in _texts()]
    for number in range(rounds):
        begun = time.process_time()
        events, entries = _mutate(json.loads(rng.choice(sources)), rng)
        found = _loaded(json.dumps({"events": events}).encode("utf-8", "surrogatepass"))
        for one in found:
            assert len(one.heads) + one.lost == entries, (number, one.notes)
            assert bool(one.notes) or not one.lost
            _look(one)
        if not found:
            assert not any(isinstance(event, dict) and event.get("eventId") for event in events), number
        assert time.process_time() - begun < 5


def _cut(seed: int, rounds: int) -> None:
    """Bytes cut off, flipped or doubled: JSON and binary, plain and compressed."""
    rng = random.Random(seed)
    sources = [
        h.dialect("cli.json"),
        h.dialect("ui_raw.json"),
        h.binary(),
        gzip.compress(h.dialect("cli.jsonl"), mtime=0),
    ]
    for number in range(rounds):
        data = bytearray(rng.choice(sources))
        kind = rng.randrange(3)
        at = rng.randrange(len(data))
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] = rng.randrange(256)
        else:
            data[at:at] = data[at : at + rng.randrange(200)]
        for one in _loaded(bytes(data)):
            complete = len(one.heads) == 62 and not one.lost
            assert complete or one.notes, (number, kind, at)
            _look(one)


def test_mutated_histories_lose_nothing_in_silence() -> None:
    _rounds(7, SMALL)


def test_damaged_bytes_lose_nothing_in_silence() -> None:
    _cut(11, SMALL // 3)


@pytest.mark.long
def test_many_mutated_histories() -> None:
    _rounds(1, FULL)
    _cut(2, FULL // 10)
