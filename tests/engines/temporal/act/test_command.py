"""``playhead act`` on a real server."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from tests.app.cli.conftest import Run, playhead
from tests.engines.temporal.act.acting import Operator

__all__ = ["playhead"]


def test_a_signal_is_planned_and_sent_from_the_command_line(operator: Operator, playhead: Run) -> None:
    run, url = operator.start(queue="nobody"), operator.shop.server.url
    words = ("act", url, run.id, "signal", "name=send_to", 'args=["it\'s", {"a": 1}]')
    planned = playhead(*words)
    assert (
        planned.code == 0 and "SignalWorkflowExecution" in planned.out and "Nothing was sent" in planned.out
    )
    assert not operator.events(run, "WorkflowExecutionSignaled")
    sent = playhead(*words, "--yes", "--reason", "they called")
    assert sent.code == 0, sent.out + sent.err
    [event] = operator.events(run, "WorkflowExecutionSignaled")
    assert event.attributes["signalName"] == "send_to"
    asked = ("journal", url, "--target", run.id, "--json")
    assert "Still awaited: signal acted-" in (told := playhead(*asked)).err and told.lines[0]["pending"]
    operator.shop.worker.ask("terminate", run.id)
    over, first, _ = playhead(*asked).lines
    assert (over["verdict"], over["pending"]) == ("applied", "") and first["target"] == run.ref.run


def test_the_engines_own_command_can_be_pasted(operator: Operator) -> None:
    run = operator.start(queue="nobody")
    item = operator.plan(run, "signal", name="it's; $(touch x)", args=["a 'quoted' \"word\"", None])
    own = Path(sys.executable).with_name("temporal")
    command = item.copy_as["CLI"].replace("temporal", shlex.quote(str(own)), 1)
    subprocess.run(["bash", "-c", command], check=True, timeout=30, capture_output=True)
    [event] = operator.events(run, "WorkflowExecutionSignaled")
    assert event.attributes["signalName"] == "it's; $(touch x)"
    script = item.copy_as["Python"]
    compile(script, "pasted", "exec")
    assert repr("it's; $(touch x)") in script


def test_a_key_stands_in_no_copied_text(operator: Operator) -> None:
    from engine_bridge.engines.temporal.client_url import parse
    from engine_bridge.engines.temporal.plan_base import copies_of

    found = copies_of(parse("temporal://cloud.example:7233/shop", "sekret"), ("workflow", "list"), ("pass",))
    assert "sekret" not in repr(found) and "TEMPORAL_API_KEY" in found["Python"]
    assert "--tls" in found["CLI"]


def test_a_schedule_is_named_on_the_command_line(operator: Operator, playhead: Run) -> None:
    listed = playhead("act", operator.shop.server.url, "schedule:paused-one", "--json")
    actions = {line["action"]: line for line in listed.lines}
    assert not actions["pause_schedule"]["enabled"] and actions["resume_schedule"]["enabled"]
