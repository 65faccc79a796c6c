"""What the runner writes of the code's answers, event by event beside what the server wrote of the recorded run.

Run as ``python -m tests.engines.temporal.replay.written RUN:APP[:TASKS] …``: one JSON line for each, with all that
differs besides what a server makes up. The runner's parts run in this very process, which ends with it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.compose import compose
from engine_bridge.replay.protocol import encoder
from tests.engines.temporal.replay.replays import APPS, input_of
from tests.engines.temporal.replay.turns import fed_back

_MADE_UP: Final = (
    "identity",
    "requestId",
    "historySizeBytes",
    "newExecutionRunId",
    "namespace",
    "operationToken",
    "operationId",
)
_RANDOM: Final = ("runId", "updateId", "protocolInstanceId", "acceptedRequestMessageId", "stackTrace", "source",
                  "retryState", "nonRetryable", "lastFailure", "workerVersion", "sdkMetadata", "complete_time",
                  "original_schedule_time", "type", "reason")  # fmt: skip


class Silent:
    """Hears what a runner tells its parent."""

    holds = True

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **values: None


def runner() -> dict[str, Any]:
    """The runner's names, without its life."""
    file = Path(tempfile.mkdtemp()) / "runner.py"
    file.write_text(compose(SPEC).replace("serve(TemporalEngine())", ""), "utf-8")
    module = types.ModuleType("playhead_runner")
    sys.modules[module.__name__] = module
    module.__file__ = str(file)
    exec(compile(file.read_text("utf-8"), str(file), "exec"), module.__dict__)
    return module.__dict__


def written(names: dict[str, Any], run: str, app: str, tasks: int) -> tuple[list[Any], list[Any]]:
    """The events of a run that was fed back to its code, and those that were recorded."""
    code, item = APPS / f"{app}.py", fed_back(input_of(run), tasks)
    recorder = names["Recorder"](Silent(), {"record": "full"}, names["Files"]((), (f"{APPS}{os.sep}",)))
    engine = names["TemporalEngine"]()
    engine.warm()
    engine.load({"modules": [str(code)], "code": str(code), "options": {"sandbox": False}}, recorder)
    with tempfile.NamedTemporaryFile() as file:
        file.write(item.data)
        file.flush()
        recorder.begin({"run_id": run})
        engine._current.since = time.monotonic()
        then = json.loads(encoder.encode(item.then))
        found = engine.replay({"input": file.name, "then": then}, recorder)
    turns, (_, walk, _) = engine._current.turns, engine._last
    assert found["outcome"] == "stopped" and turns.unfit is None, (found, turns.unfit)
    data = input_of(run).data.partition(b"\n")[2]
    return turns._answered(walk, {**found}).events if not walk.ended else _whole(turns, walk), names[
        "_events"
    ](data)


def _whole(turns: Any, walk: Any) -> list[Any]:
    """The history with the answer that ends the run."""
    walk.ended = False
    events: list[Any] = turns._answered(walk, {"outcome": "stopped"}).events
    return events


def plain(event: Any) -> dict[str, Any]:
    """An event without what a server makes up, or another process would say otherwise."""
    found = MessageToDict(event)
    kept = {key: value for key, value in found.items() if key == "eventType" or key.endswith("Attributes")}
    return dict(_without(kept, "WORKFLOW_TASK" in found["eventType"]))


def _without(value: Any, of_task: bool) -> Any:
    if isinstance(value, list):
        return [_without(one, of_task) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = (*_MADE_UP, *_RANDOM, *(("taskQueue",) if of_task else ()))
    kept = {key: _without(one, of_task) for key, one in value.items() if key not in left_out}
    if "data" in kept and "metadata" in value:
        return {**kept, "data": _decoded(kept["data"])}
    return kept


def _decoded(data: str) -> Any:
    import base64

    found = json.loads(base64.b64decode(data) or b"null")
    return _without(found, False) if isinstance(found, dict) else found


def differences(names: dict[str, Any], run: str, app: str, tasks: int) -> dict[str, Any]:
    """How many events there are of each, and those that differ."""
    made, recorded = written(names, run, app, tasks)
    pairs = [(plain(one), plain(other)) for one, other in zip(made, recorded, strict=False)]
    unlike = [(n, one, other) for n, (one, other) in enumerate(pairs, 1) if one != other]
    return {"run": run, "made": len(made), "recorded": len(recorded), "unlike": unlike}


def main() -> None:
    sys.path.insert(0, str(APPS))
    names = runner()
    for argument in sys.argv[1:]:
        run, app, tasks = f"{argument}:1".split(":")[:3]
        print(json.dumps(differences(names, run, app, int(tasks))), flush=True)
    os._exit(0)  # the SDK's threads may abort the interpreter at its end


if __name__ == "__main__":
    main()
