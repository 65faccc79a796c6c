"""An operator on the filled shop, with one child process for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.opening import ActorFactory
from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Intent, PlanItem, Staged, Target
from engine_bridge.cancel import CancelToken
from tests.engines.temporal.act.acting import REASON, Operator, plan_of
from tests.engines.temporal.server.conftest import bridge, shop, temporal_shop
from tests.engines.temporal.shop import Shop

__all__ = ["bridge", "shop", "temporal_shop"]


@pytest.fixture(scope="session")
def execution(
    temporal_shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Execution, Journal]]:
    journal = Journal(tmp_path_factory.mktemp("acts") / "journal")
    url = temporal_shop.server.url
    with Execution(ActorFactory("temporal", url, None), journal, plan_of(url), REASON) as running:
        warm = PlanItem(
            staged=Staged(target=Target(kind="run", id="invoice-waits"), action="query"), title=""
        )
        running.look(Intent(request_id="", source=url, item=warm), CancelToken())
        yield running, journal
    journal.close()


@pytest.fixture
def operator(shop: Shop, bridge: Any, execution: tuple[Execution, Journal]) -> Operator:
    return Operator(shop, bridge, *execution)
