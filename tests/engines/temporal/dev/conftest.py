"""The filled shop, whose server writes its database while tests read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_bridge.engines.temporal.dev_bridge import DevBridge
from tests.engines.temporal.dev import databases


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of the recorded database."""
    return databases.write(tmp_path / "dev" / "temporal.db")


@pytest.fixture
def bridge(file: Path) -> Iterator[DevBridge]:
    """The recorded database, open."""
    made = databases.bridge(file)
    made.open(databases.NEVER)
    yield made
    made.close()
