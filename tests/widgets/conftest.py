"""Graphs are drawn at once, as they are when their library is there; its first import has a test of its own."""

from __future__ import annotations

import pytest

from engine_bridge.graph import library


@pytest.fixture(autouse=True, scope="session")
def graphs_at_once() -> None:
    library()
