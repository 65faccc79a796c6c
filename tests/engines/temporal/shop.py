"""The filled shop: a real server with a worker and two dozen runs, made once for the whole run of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from engine_bridge.bridge import Bridge
from engine_bridge.cancel import CancelToken
from tests.engines.temporal.local import LocalServer, LocalWorker, fill
from tests.engines.temporal.remote import Child
from tests.waiting import until

NEVER = CancelToken()


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
        _settle(child.bridge(server.url))
        yield Shop(server, worker, child)


def _settle(bridge: Bridge) -> None:
    """Waits until the stuck runs stand where they stay."""
    bridge.open(NEVER)
    for workflow_id, words in (("export-stuck", "attempt 3 of 9"), ("release", "KeyError")):
        [ref] = until(lambda id_=workflow_id: [run.ref for run in bridge.find(id_, 1, NEVER)])
        until(lambda ref=ref, words=words: words in (bridge.run(ref, NEVER).now or ""))
    bridge.close()
