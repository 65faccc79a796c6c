"""Damaged histories in a database: no crash, no hang, and no event is lost without a word."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.errors import PlayheadError
from engine_bridge.history import History
from engine_bridge.model import RunRef
from engine_bridge.playback import state_at
from engine_bridge.steps import lanes
from tests.engines.temporal.dev import databases

SMALL, FULL = 100, 10_000
_Node = tuple[int, bytes]


def _mutate(nodes: list[_Node], chance: random.Random) -> list[tuple[int, bytes | None]]:
    """The nodes of one history that change, with what they hold then; None: the node goes."""
    at = chance.randrange(len(nodes))
    row, data = nodes[at]
    kind = chance.randrange(6)
    if kind == 0:
        return [(row, None)]
    if kind == 1:
        return [(row, data[: chance.randrange(len(data))])]
    if kind == 2:
        return [(row, data + data)]
    if kind == 3:
        other = chance.randrange(len(nodes))
        return [(row, nodes[other][1]), (nodes[other][0], data)]
    changed = bytearray(data)
    for _ in range(chance.choice((1, 4, 40))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return [(row, bytes(changed))]


def _nodes(file: Path) -> list[list[_Node]]:
    """(row, data) of each history's nodes."""
    found: dict[tuple[Any, ...], list[_Node]] = {}
    with databases.changing(file) as client:
        for row, tree, branch, data in client.execute(
            "SELECT rowid, tree_id, branch_id, data FROM history_node ORDER BY node_id"
        ):
            found.setdefault((tree, branch), []).append((row, data))
    return list(found.values())


def _put(file: Path, changes: list[tuple[int, bytes | None]]) -> None:
    with databases.changing(file) as client:
        for row, data in changes:
            if data is None:
                client.execute("UPDATE history_node SET node_id = node_id + 100000 WHERE rowid = ?", (row,))
            else:
                client.execute("UPDATE history_node SET data = ? WHERE rowid = ?", (data, row))


def _back(file: Path, changes: list[tuple[int, bytes | None]], whole: dict[int, bytes]) -> None:
    _put(file, [(row, whole[row]) for row, data in changes if data is not None])
    with databases.changing(file) as client:
        client.execute("UPDATE history_node SET node_id = node_id - 100000 WHERE node_id > 100000")


def _look(bridge: DevBridge, ref: RunRef, events: int) -> None:
    """Everything that the window does with a history; of ``events`` none is missing in silence."""
    begun = time.process_time()
    try:
        history = databases.history(bridge, ref)
    except PlayheadError as error:
        assert error.message
        return
    _whole_or_told(history, events)
    for event in history.all_events():
        assert event.name
    for row, step in enumerate(history.all_steps()):
        assert history.step_row(step.id) == row
    lanes(history)
    state_at(history, history.last_position // 2)
    assert time.process_time() - begun < 5


def _whole_or_told(history: History, events: int) -> None:
    positions = history.events["position"].tolist()
    assert positions == list(range(1, events + 1)) or history.notes, (len(positions), events)


def _rounds(file: Path, seed: int, histories: int) -> None:
    chance, done = random.Random(seed), 0
    nodes = _nodes(file)
    whole = {row: data for one in nodes for row, data in one}
    bridge = databases.bridge(file)
    bridge.open(databases.NEVER)
    lengths = {run.ref: len(databases.history(bridge, run.ref)) for run in databases.runs(bridge).values()}
    while done < histories:
        changes = [change for one in nodes for change in _mutate(one, chance)]
        _put(file, changes)
        for ref, events in lengths.items():
            _look(bridge, ref, events)
        done += len(nodes)
        _back(file, changes, whole)
    for ref, events in lengths.items():
        assert len(databases.history(bridge, ref)) == events
    bridge.close()


def test_mutated_histories_of_a_database_lose_nothing_in_silence(file: Path) -> None:
    _rounds(file, 7, SMALL)


@pytest.mark.long
def test_many_mutated_histories_of_a_database(file: Path) -> None:
    _rounds(file, 1, FULL)
