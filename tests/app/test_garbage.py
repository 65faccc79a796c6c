"""The collector of the GUI thread: garbage goes, floods of new objects are let be."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app import garbage
from app.garbage import Collector


class Node:
    """Part of a cycle."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collector(qtbot: QtBot) -> Iterator[Collector]:
    parent = QObject()
    made = Collector(parent)
    yield made
    made.stop()
    gc.unfreeze()


def _cycle() -> weakref.ref[Node]:
    return weakref.ref(Node())


def test_a_cycle_goes_at_the_next_look(collector: Collector) -> None:
    dead, alive = _cycle(), [[n] for n in range(3_000)]
    assert dead() is not None
    collector.look()
    assert dead() is None and len(alive) == 3_000


def test_a_flood_waits_until_the_user_is_elsewhere(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "_away", lambda: False)
    flood, dead = [[n] for n in range(60_000)], _cycle()
    collector.look()
    assert dead() is not None and gc.get_count()[0] < 1_000
    monkeypatch.setattr(garbage, "_away", lambda: True)
    monkeypatch.setattr(garbage, "_FULL_S", 0.0)
    collector.look()
    assert dead() is None and len(flood) == 60_000
