"""Runner part: the engine of the tests; its "library" is json, so that every interpreter has it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Engine, Recorder, serve
from engine_bridge.replay.runners.modules import import_user
from tests.engine_bridge.replay.plain.walk import Walk


class PlainEngine(Engine):
    """Runs each flow in a thread of its own, as real engines do."""

    def warm(self) -> tuple[str, tuple[str, ...]]:
        self.pool = ThreadPoolExecutor(1)
        self.pool.submit(print, end="").result()
        return json.__version__, ()

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        self.flows: dict[str, Any] = {}
        for name in job["modules"]:
            module = import_user(name)
            for key, value in vars(module).items():
                if key.startswith("flow") and callable(value):
                    self.flows[key] = value
        return {name: (f.__code__.co_filename, f.__code__.co_firstlineno) for name, f in self.flows.items()}

    def replay(self, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
        history = json.loads(Path(item["input"]).read_text("utf-8"))
        walk = Walk(history, recorder)
        ended: list[dict[str, Any]] = []
        failed: list[BaseException] = []

        def run() -> None:
            recorder.enter()
            try:
                ended.append(walk.over(self.flows[history["flow"]](walk)))
            except Stop as stop:
                ended.append(
                    {"outcome": stop.kind, **stop.values}
                    if stop.kind != "blocked"
                    else {"outcome": "blocked"}
                )
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)

        if history["flow"] == "flow_pooled":
            self.pool.submit(run).result()
        else:
            thread = threading.Thread(target=run, name="flow")
            thread.start()
            thread.join()
        if failed:
            raise failed[0]
        return ended[0]


serve(PlainEngine())
