"""An operator on the filled shop, with one child process for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from app.opening import ActorFactory
from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Intent, PlanItem, Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.model import RunRef
from tests.engines.temporal.act.acting import REASON, Operator, plan_of
from tests.engines.temporal.server.conftest import bridge, shop
from tests.engines.temporal.shop import Shop

__all__ = ["bridge", "shop"]


_ORDERS: Final = 7


@pytest.fixture(scope="session")
def acting(
    temporal_shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Execution, list[Target]]]:
    """The child that acts, running; and orders that come to wait for their approval meanwhile."""
    orders = [ordered(temporal_shop, f"order-to-act-on-{number}") for number in range(_ORDERS)]
    journal = Journal(tmp_path_factory.mktemp("acts") / "journal")
    url = temporal_shop.server.url
    with Execution(ActorFactory("temporal", url, None), journal, plan_of(url), REASON) as running:
        warm = PlanItem(
            staged=Staged(target=Target(kind="run", id="invoice-waits"), action="query"), title=""
        )
        running.follow(Intent(request_id="", source=url, item=warm), CancelToken())
        yield running, orders
    journal.close()


def ordered(shop: Shop, name: str) -> Target:
    run_id = shop.worker.ask("start", "fulfil_order", name, name, True)
    return Target(kind="run", id=name, ref=RunRef("workflow", name, run_id))


@pytest.fixture
def operator(shop: Shop, bridge: Any, acting: tuple[Execution, list[Target]]) -> Operator:
    return Operator(shop, bridge, *acting)
