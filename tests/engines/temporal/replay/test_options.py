"""A project's own converter, codec, interceptors and worker; histories that cannot be replayed, and the open end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.replay_input import made
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.model import RunRef
from engine_bridge.replay.model import Outcome
from tests.engines.dbos.replay.replays import text_at
from tests.engines.temporal.replay.replays import APPS, changed, edited_order, input_of, replay

ORDER = APPS / "order.py"
PROJECT = APPS / "project.py"


def _encode(events: Any) -> None:
    """All payloads as the project's codec stores them."""
    from google.protobuf.message import Message

    from tests.engines.temporal.replay.apps.project import turned

    def walk(message: Message) -> None:
        for field, value in message.ListFields():
            several = value if field.is_repeated else [value]
            for one in several if field.message_type is not None and not isinstance(value, dict) else ():
                if not isinstance(one, Message) or field.name == "search_attributes":
                    continue
                if one.DESCRIPTOR.full_name.endswith("common.v1.Payload"):
                    one.CopyFrom(turned(one))
                else:
                    walk(one)

    for event in events:
        walk(event)


def test_a_codec_is_named() -> None:
    item = changed(input_of("order"), "order", _encode)
    plain = replay([item], ORDER)["order"].end
    assert plain.outcome is Outcome.FAILED
    assert "encoded (binary/backwards), and no codec that can decode them is named" in plain.error
    assert "data_converter=module:attribute" in plain.hint
    other = replay([item], ORDER, options={"data_converter": f"{PROJECT}:breaking"})["order"].end
    assert other.outcome is Outcome.FAILED and "cannot decode them: ValueError: another key" in other.error
    for option in (f"{PROJECT}:converter", f"{PROJECT}:make_converter"):
        end = replay([item], ORDER, options={"data_converter": option})["order"].end
        assert end.outcome is Outcome.SAME, end
        assert not end.drift


def test_what_a_codec_hides_is_compared_decoded(tmp_path: Path) -> None:
    code = edited_order(tmp_path, ("[order, amount]", "[order, amount + 1]"))
    item = changed(input_of("order"), "order", _encode)
    end = replay([item], code, options={"data_converter": f"{PROJECT}:converter"})["order"].end
    assert [(d.what, d.recorded["i"], d.replayed["i"]) for d in end.drift] == [
        ("input", ["o-1", 3], ["o-1", 4])
    ]


def test_interceptors_and_other_arguments_are_named() -> None:
    end = replay([input_of("compensating")], APPS / "shapes.py", options={"config": f"{PROJECT}:arguments"})
    assert [(d.what, d.replayed) for d in end["compensating"].end.drift] == [("result", "undone!")]
    interceptors = {"interceptors": f"{PROJECT}:make_interceptors"}
    failed = replay([input_of("compensating")], APPS / "shapes.py", options=interceptors)["compensating"].end
    assert failed.outcome is Outcome.FAILED
    assert "make_interceptors" in failed.error


WORKER = """
import argparse, asyncio, logging, os, signal
from temporalio.client import Client, Interceptor
from temporalio.plugin import SimplePlugin
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import Worker
from order import Order
from project import Louder, converter
from .names import QUEUE

class Everywhere(Interceptor, Louder):
    pass

logging.basicConfig(filename=os.environ["LOG_FILE"])

async def work(client, stop, queue):
    plugin = SimplePlugin("ours", workflows=[Order])
    async with Worker(client, task_queue=queue, plugins=[plugin]) as worker:
        assert worker.is_running
        await stop.wait()

async def main(address):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address="0.0.0.0:80"))))
    client = await Client.connect(address, data_converter=converter)
    await client.service_client.check_health()
    other = await Client.connect(address, data_converter=converter, interceptors=[Everywhere()])
    await asyncio.gather(work(other, stop, "others"), work(client, stop, QUEUE))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    asyncio.get_event_loop().run_until_complete(main(parser.parse_args().address))
"""


def test_workers_are_captured_with_their_settings(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    for name, text in (("__init__", ""), ("names", "QUEUE = 'replays'"), ("worker", WORKER)):
        (package / f"{name}.py").write_text(text)
    item = changed(input_of("order"), "order", _encode)

    other = changed(item, "other", _queue_others)
    options = {
        "worker_script": str(package / "worker.py"),
        "argv": ["--address", "nowhere:7233"],
        "environment": {"LOG_FILE": str(tmp_path / "log")},
    }
    told = replay([item, other], package, modules=(), options=options, paths=(str(APPS),))
    assert told["order"].end.outcome is Outcome.SAME and not told["order"].end.drift, told["order"].end
    assert told["other"].end.drift[-1].what == "result" and told["other"].end.drift[-1].replayed.endswith("!")
    assert not (tmp_path / "log").exists()


def _queue_others(events: Any) -> None:
    events[0].workflow_execution_started_event_attributes.task_queue.name = "others"


def test_an_entry_point_without_a_worker_is_told(tmp_path: Path) -> None:
    script = tmp_path / "nothing.py"
    script.write_text("print('nothing')\n")
    end = replay([input_of("order")], script, modules=(), options={"worker_script": str(script)})["order"].end
    assert end.outcome is Outcome.FAILED
    assert "it makes no Worker. Where a function makes it, name that" in end.error


def _cut(at: int) -> Any:
    def cut(events: Any) -> None:
        del events[at:]

    return cut


def test_an_open_workflow_task_tells_what_the_code_would_do() -> None:
    # Event 35 started the workflow task that brought the answer of charge_card; it was not answered yet.
    told = replay([changed(input_of("order"), "order", _cut(35))], ORDER)["order"]
    assert told.end.outcome is Outcome.STOPPED
    new = [step for step in told.steps if step.recorded is None and step.kind == "activity"]
    assert [step.name for step in new] == ["pack"] * 3
    assert told.end.now is not None and told.end.now.what == "pack"


@pytest.mark.parametrize("at", [4, 10, 16, 19, 23, 30, 39, 45, 61, 65, 75])
def test_a_history_as_far_as_it_is_recorded_is_the_same(at: int) -> None:
    told = replay([changed(input_of("order"), "order", _cut(at))], ORDER, options={"sandbox": False})["order"]
    assert told.end.outcome is Outcome.STOPPED, told.end
    assert told.end.now is not None and text_at(told.end.now.at)


def test_a_new_local_activity_at_the_open_end_does_not_hang(tmp_path: Path) -> None:
    extra = "await workflow.execute_local_activity(price, order, start_to_close_timeout=SHORT)\n        "
    charge = "charged = await workflow.execute_activity("
    code = edited_order(tmp_path, (charge, extra + charge))
    for at in (29, 30, 31):
        end = replay([changed(input_of("order"), "order", _cut(at))], code)["order"].end
        assert end.outcome in (Outcome.STOPPED, Outcome.DIVERGED), end


def _event(number: int, type_: str, **attributes: Any) -> RawEvent:
    return RawEvent(number, type_, number * 10**9, attributes)


def _made(*events: RawEvent, missing: int = 0) -> Any:
    return made(RunRef("workflow", "w", "r"), list(events), CancelToken(), missing=missing)


def test_histories_that_cannot_be_replayed_say_why() -> None:
    start = _event(1, "WorkflowExecutionStarted", workflowType={"name": "order"})
    assert _made(start).type == "order"
    with pytest.raises(UsageError, match="3 events of this history are missing"):
        _made(start, missing=3)
    with pytest.raises(UsageError, match="does not begin with the start"):
        _made(_event(1, "WorkflowTaskScheduled"))
    go = _event(2, "WorkflowTaskCompleted", sdkMetadata={"sdkName": "temporal-go"})
    with pytest.raises(UnsupportedError, match="another language"):
        _made(start, go)
    decoded = _event(2, "ActivityTaskScheduled", workflowTaskCompletedEventId="readable")
    with pytest.raises(UsageError, match=r"Event 2 \(ActivityTaskScheduled\)"):
        _made(start, decoded)


def test_an_unknown_event_is_noticed() -> None:
    start = _event(1, "WorkflowExecutionStarted", workflowType={"name": "order"})
    found = _made(start, RawEvent(2, "EventType 99", 1))
    assert "EventType 99" in found.notices[0]


def test_an_interpreter_without_the_library_is_told(tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    end = replay([input_of("order")], ORDER, python=str(tmp_path / "bare" / "bin" / "python"))["order"].end
    assert end.outcome is Outcome.FAILED
    assert "has no temporalio" in end.error and sys.executable not in end.error


def test_a_history_that_core_dies_of_is_told() -> None:
    def spoil(events: Any) -> None:
        events[0].workflow_execution_started_event_attributes.ClearField("task_queue")

    told = replay([changed(input_of("order"), "spoilt", spoil), input_of("order")], ORDER)
    assert told["spoilt"].end.outcome is Outcome.FAILED
    assert "lacks what core needs" in told["spoilt"].end.error
    assert told["order"].end.outcome is Outcome.SAME
