"""The client's own thread: what is asked of it before it runs, and after it was closed; and how much is asked."""

from __future__ import annotations

import subprocess
import sys

from tests.engines.temporal.local import ROOT
from tests.engines.temporal.shop import Shop

# In a process of its own: the client may abort while an interpreter finalises.
_LATE = """
import asyncio, os, threading
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.client_url import parse
from engine_bridge.errors import ConnectError

begun, asked = threading.Event(), threading.Event()

class Late(asyncio.SelectorEventLoop):
    def run_forever(self):
        begun.set()
        asked.wait(10)
        super().run_forever()

    def call_soon_threadsafe(self, *args, **kwargs):
        asked.set()
        return super().call_soon_threadsafe(*args, **kwargs)

asyncio.new_event_loop = Late
client = Client(parse("temporal://127.0.0.1:1/shop"))
for act in (lambda: client.connect(CancelToken()), client.close, lambda: client.call("x", None, CancelToken())):
    try:
        act()
        print("done", flush=True)
    except ConnectError as error:
        print(error.message, begun.is_set(), flush=True)
os._exit(0)
"""

_ASKED = """
import os, sys
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.server_bridge import ServerBridge
from engine_bridge.engines.temporal.server_values import ref

class Watched(Client):
    def call(self, rpc, request, *args, **more):
        print(rpc, request.maximum_page_size, flush=True)
        return super().call(rpc, request, *args, **more)

never, bridge = CancelToken(), ServerBridge(sys.argv[1])
bridge.open(never)
client = bridge._client
print(client._service.config.grpc_compression, flush=True)
client.compress(never)
print(client._service.config.grpc_compression, flush=True)
client.__class__ = Watched
reads, run = Reads(client, never), ref("order-0001", "")
print(reads.started(run).workflow_type.name, repr(reads.hides(run)), flush=True)
os._exit(0)
"""


def run(code: str, *args: str) -> list[str]:
    child = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    return child.stdout.splitlines()


def test_a_client_asked_before_its_thread_runs_is_no_closed_one() -> None:
    first, closed, after = run(_LATE)
    assert "closed" not in first and "127.0.0.1:1" in first and first.endswith("True")
    assert closed == "done" and after == "The source is closed. True"


def test_a_server_on_this_machine_is_not_asked_to_compress_nor_for_more_than_the_event_that_is_looked_at(
    shop: Shop,
) -> None:
    here, forwarded, asked, told = run(_ASKED, shop.server.url)
    assert "NoGrpcCompression" in here and "GzipGrpcCompression" in forwarded
    assert asked == "get_workflow_execution_history 1" and told == "fulfil_order ''"
