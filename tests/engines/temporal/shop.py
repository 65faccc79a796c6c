"""The filled shop: a real server with a worker and two dozen runs, made once for the whole run of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.engines.temporal.local import LocalServer, LocalWorker, fill
from tests.engines.temporal.remote import Child


@dataclass(frozen=True)
class Shop:
    server: LocalServer
    worker: LocalWorker
    child: Child


@pytest.fixture(scope="session")
def temporal_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, open: nobody may end its worker or its server."""
    # So slow that a batch can be watched and stopped.
    server = LocalServer(tmp_path_factory.mktemp("temporal"), "--dynamic-config-value", "worker.batcherRPS=2")
    server.start()
    with ExitStack() as ends:
        ends.callback(server.stop)
        worker = LocalWorker(server)
        ends.callback(worker.close)
        fill(worker)
        child = Child()
        ends.callback(child.close)
        yield Shop(server, worker, child)
