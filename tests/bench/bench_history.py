"""Opening a large exported history: CPU against the SDK's parser, first timeline, finding text, memory. JSON lines.

    python -m tests.bench.bench_history [--events N] [--no-sdk]

Times are milliseconds of CPU of the whole process, least of five, but for ``wall`` ones. Budgets (design, section 9)
for 51,200 events: decode <= 60 ms, search <= 40 ms, memory <= 150 MB over an empty process that has numpy.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.temporal_history import history

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST = """
import re, sys
from pathlib import Path
import numpy
def memory():
    # Not ru_maxrss, which begins with what the parent process had.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
empty = memory()
from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.file_bridge import FileBridge
from engine_bridge.history import History
from engine_bridge.steps import lanes, spans
never = CancelToken()
bridge = FileBridge(sys.argv[1])
bridge.open(never)
(run,) = bridge.runs(None, Sort(), None, "forward", 2, never).items
history = History(bridge.decode_event, bridge.decode_step)
for batch in bridge.history(run.ref, never):
    history.append(batch)
found = lanes(history)
label = [history.step(row).name for row in range(60)]
print((memory() - empty) / 1024, len(history), history.n_steps, len(found))
"""


def cpu(work: Callable[[], Any], rounds: int = 5) -> float:
    """The least CPU of some rounds, ms."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        begun = time.process_time()
        work()
        taken.append((time.process_time() - begun) * 1000)
    return round(min(taken), 1)


def say(**values: Any) -> None:
    print(json.dumps({"bench": "history", **values}), flush=True)


def parts(data: bytes, path: Path, *, sdk: bool) -> None:
    """What the engine itself takes, piece by piece, against the SDK's parser."""
    from engine_bridge.cancel import CancelToken
    from engine_bridge.engines.temporal.file_bridge_index import Index
    from engine_bridge.engines.temporal.file_bridge_search import Search
    from engine_bridge.engines.temporal.group import Grouper
    from engine_bridge.engines.temporal.group_event import decode_event
    from engine_bridge.engines.temporal.group_step import decode_step
    from engine_bridge.engines.temporal.load import load
    from engine_bridge.engines.temporal.url import FileSource
    from engine_bridge.history import History
    from engine_bridge.model import RunRef
    from engine_bridge.steps import lanes

    never, ref = CancelToken(), RunRef("workflow", "order-123", "run")
    decoded = cpu(lambda: load(data))
    (found,) = load(data)

    def grouped() -> History:
        grouper, told = Grouper(ref), History(decode_event, decode_step)
        grouper.add(found.heads)
        told.append(grouper.batch())
        return told

    told = grouped()
    say(what="decode", events=len(told), mb=round(len(data) / 1e6, 1), cpu_ms=decoded, budget_ms=60)
    say(what="group to columns", cpu_ms=cpu(grouped), steps=told.n_steps)
    say(what="lanes", cpu_ms=cpu(lambda: lanes(told)))
    say(what="look at 60 events", cpu_ms=cpu(lambda: [told.event(row) for row in range(5_000, 5_060)]))
    index = Index(FileSource(path))
    index.read(never)
    search = Search(index)
    wanted = "ord-" + "f" * 12
    say(
        what="first search (lays the text out)",
        cpu_ms=cpu(lambda: list(search.hits(wanted, "all", 50, never)), 1),
    )
    say(what="search, absent", cpu_ms=cpu(lambda: list(search.hits(wanted, "all", 50, never))), budget_ms=40)
    say(what="search, 20 hits", cpu_ms=cpu(lambda: list(search.hits("refund_order", "all", 20, never))))
    if sdk:
        from temporalio.client import WorkflowHistory

        text = data.decode()
        whole = cpu(lambda: WorkflowHistory.from_json("order-123", text), 2)
        say(what="WorkflowHistory.from_json", cpu_ms=whole, ratio=round(decoded / whole, 4))


def whole(path: Path, rounds: int = 5) -> None:
    """A process from start to the lanes of the first timeline, and its memory."""
    walls, shown = [], ""
    for _ in range(rounds):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", FIRST, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
        )
        walls.append((time.perf_counter() - begun) * 1000)
        shown = done.stdout
    memory, events, steps, lanes = shown.split()
    say(
        what="process start to first timeline", wall_ms=round(min(walls)), memory_mb=round(float(memory)),
        budget_mb=150, events=int(events), steps=int(steps), lanes=int(lanes),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=51_200)
    parser.add_argument("--no-sdk", action="store_true")
    chosen = parser.parse_args()
    data = history(chosen.events)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "order-123.json"
        path.write_bytes(data)
        parts(data, path, sdk=not chosen.no_sdk)
        del data
        whole(path)
    say(what="done", load=round(os.getloadavg()[0], 1))


if __name__ == "__main__":
    main()
