"""A shop whose workers encrypt all that they send, and a codec server that can read it: made once for this folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.temporal.codec.server import CodecPlace
from tests.engines.temporal.local import NAMESPACE, LocalServer, LocalWorker
from tests.engines.temporal.remote import Child


@dataclass(frozen=True)
class SecretShop:
    """``file`` is the exported history of the run that failed."""

    server: LocalServer
    worker: LocalWorker
    child: Child
    file: Path

    def urls(self, codec: str) -> dict[str, str]:
        """The same runs in all forms of source, with a codec server."""
        more = f"codec={codec}"
        return {
            "server": f"{self.server.url}?{more}",
            "database": f"temporal+sqlite://{self.server.file}?namespace={NAMESPACE}&{more}",
            "file": f"temporal+file://{self.file}?namespace={NAMESPACE}&{more}",
        }


@pytest.fixture(scope="session")
def secret_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretShop]:
    folder = tmp_path_factory.mktemp("secret")
    server = LocalServer(folder)
    server.start()
    with ExitStack() as ends:
        ends.callback(server.stop)
        worker = LocalWorker(server, NAMESPACE, "encrypted")
        ends.callback(worker.close)
        for id_, order, waits in (("poor", "poor-1", False), ("waits", "order-1", True)):
            worker.ask("start", "fulfil_order", id_, order, waits)
        worker.ask("start", "nightly_export", "stuck", "ledger")
        worker.ask("wait", "poor")
        for id_ in ("poor", "waits", "stuck"):
            worker.ask("listed", id_, id_ == "poor")
        child = Child()
        ends.callback(child.close)
        yield SecretShop(server, worker, child, exported(server, "poor", folder))


def exported(server: LocalServer, workflow_id: str, folder: Path) -> Path:
    """The history of a run as ``temporal workflow show`` writes it."""
    command = [
        str(Path(sys.executable).with_name("temporal")), "workflow", "show", "--workflow-id", workflow_id,
        "--namespace", NAMESPACE, "--address", server.address, "--output", "json",
    ]  # fmt: skip
    path = folder / f"{workflow_id}.json"
    path.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return path


@pytest.fixture
def codec() -> Iterator[CodecPlace]:
    with CodecPlace() as found:
        yield found
