"""An opened bridge of the filled shop, and what tests of servers ask again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine_bridge.bridge import Bridge
from engine_bridge.cancel import CancelToken
from engine_bridge.history import History
from engine_bridge.model import Run
from tests.engines.temporal.shop import Shop
from tests.waiting import until

NEVER = CancelToken()


@pytest.fixture
def shop(temporal_shop: Shop) -> Shop:
    return temporal_shop


@pytest.fixture
def bridge(temporal_shop: Shop) -> Iterator[Any]:
    """The shop's bridge, open."""
    made = temporal_shop.child.bridge(temporal_shop.server.url)
    made.open(NEVER)
    yield made
    made.close()


def newest(bridge: Bridge, workflow_id: str) -> Run:
    """The header of the newest run of a workflow id."""
    # The visibility store tells of a run a moment after it has begun.
    found = until(lambda: [run for run in bridge.find(workflow_id, 50, NEVER) if run.id == workflow_id])
    return bridge.run(max(found, key=lambda run: run.created_ns or 0).ref, NEVER)


def history(bridge: Bridge, run: Run) -> History:
    found = History(bridge.decode_event, bridge.decode_step)
    for batch in bridge.history(run.ref, NEVER):
        found.append(batch)
    return found
