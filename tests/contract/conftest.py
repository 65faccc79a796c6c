"""One opened bridge of every engine, for the tests that all of them pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engine_bridge.bridge import Bridge, Capability, SourceInfo
from engine_bridge.cancel import CancelToken
from tests.contract.sources import FACTORIES, Source
from tests.engines.dbos.databases import orders_file

__all__ = ["orders_file"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lives as long as the whole run is made before a test counts its processes and threads."""
    for item in items:
        call = getattr(item, "callspec", None)
        if call is not None and call.params.get("source") == "temporal-server":
            item.fixturenames.insert(0, "temporal_shop")  # type: ignore[attr-defined]  # a test function's item


@dataclass(frozen=True)
class Opened:
    bridge: Bridge
    info: SourceInfo
    source: Source

    def has(self, *capabilities: Capability) -> bool:
        return set(capabilities) <= self.info.capabilities


@pytest.fixture(params=sorted(FACTORIES))
def source(request: pytest.FixtureRequest) -> Source:
    return FACTORIES[request.param](request)


@pytest.fixture
def opened(source: Source) -> Iterator[Opened]:
    bridge = source.make()
    info = bridge.open(CancelToken())
    yield Opened(bridge, info, source)
    bridge.close()
