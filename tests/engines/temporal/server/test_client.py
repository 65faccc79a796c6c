"""The client's own thread: what is asked of it before it runs, and after it was closed."""

from __future__ import annotations

import subprocess
import sys

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


def test_a_client_asked_before_its_thread_runs_is_no_closed_one() -> None:
    child = subprocess.run(
        [sys.executable, "-c", _LATE], capture_output=True, text=True, timeout=60, check=True
    )
    first, closed, after = child.stdout.splitlines()
    assert "closed" not in first and "127.0.0.1:1" in first and first.endswith("True")
    assert closed == "done" and after == "The source is closed. True"
