"""A Nexus operation names the run that it started, and that run its caller: by the links that a server wrote."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from engine_bridge.engines.temporal.events import Heads, RawEvent
from engine_bridge.engines.temporal.events_heads import fill
from engine_bridge.engines.temporal.file_bridge import FileBridge
from engine_bridge.engines.temporal.group_nexus import Link, linked, started
from engine_bridge.model import RunRef
from tests.engines.temporal.files.histories import DATA
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.server.conftest import NEVER, history

CALLER = RunRef("workflow", "pays-306d", "01a1fa17-eb42-7dab-86e6-85ff2b5275b2")
HANDLER = RunRef("workflow", "settle-0-b554ed", "01a1fa17-ecba-736b-acc1-e56023127774")


def opened(folder: Path, *names: str, namespace: str = NAMESPACE) -> FileBridge:
    for name in names:
        recorded = DATA / "nexus" / f"{name}.json.gz"
        (folder / f"{name}.json").write_bytes(gzip.decompress(recorded.read_bytes()))
    bridge = FileBridge(f"temporal+file://{folder}?namespace={namespace}")
    bridge.open(NEVER)
    return bridge


def test_caller_and_started_run_lead_to_each_other(tmp_path: Path) -> None:
    bridge = opened(tmp_path, "caller", "handler")
    there = {(one.role, one.step_id): one for one in bridge.related(CALLER, None, 20, NEVER).items}
    assert {key: one.note for key, one in there.items()} == {
        ("nexus run", "5"): "",
        ("nexus run", "10"): "not in these files",
    }
    assert there["nexus run", "5"].ref == HANDLER and there["nexus run", "5"].run is not None
    [back] = bridge.related(HANDLER, None, 20, NEVER).items
    assert (back.role, back.ref, back.note) == ("caller", CALLER, "its step 5, a Nexus operation")
    told = history(bridge, bridge.run(CALLER, NEVER))
    assert next((s.id, s.child) for s in told.all_steps()) == ("5", HANDLER)
    assert next(e for e in told.all_events() if e.name == "NexusOperationStarted").ref == HANDLER
    [first, *_] = history(bridge, bridge.run(HANDLER, NEVER)).all_events()
    assert first.ref == CALLER
    bridge.close()


def test_a_run_of_another_namespace_says_where_it_is(tmp_path: Path) -> None:
    bridge = opened(tmp_path, "caller", namespace="elsewhere")
    step = next(iter(history(bridge, bridge.run(CALLER, NEVER)).all_steps()))
    assert (
        step.child is None and step.detail == f"endpoint bank · runs {HANDLER.group} in namespace {NAMESPACE}"
    )
    bridge.close()


def test_a_caller_that_came_later_is_one_too() -> None:
    link = {
        "workflowEvent": {
            "namespace": NAMESPACE,
            "workflowId": "pays",
            "runId": "r",
            "eventRef": {"eventId": "7"},
        }
    }
    later = RawEvent(
        9, "WorkflowExecutionOptionsUpdated", 0, {"attachedCompletionCallbacks": [{"links": [link]}]}
    )
    other = RawEvent(10, "WorkflowExecutionOptionsUpdated", 0, {"priority": {}})
    heads = Heads.empty(2)
    heads.record = (later, other)
    for row, event in enumerate(heads.record):
        fill(heads, row, event)
    [(step, found)] = linked(heads)
    assert step is None and (found.ref.group, found.asked) == ("pays", "its step 7, a Nexus operation")


@pytest.mark.parametrize("token", ["", "no base64 %", "bm8ganNvbg", "e30", "W10"])
def test_tokens_that_name_no_workflow_name_no_run(token: str) -> None:
    assert started([RawEvent(6, "NexusOperationStarted", 0, {"operationToken": token})]) is None


def test_servers_without_links_name_the_workflow_in_the_token() -> None:
    token = "eyJ0IjoxLCJucyI6InNob3AiLCJ3aWQiOiJzZXR0bGUtMC1iNTU0ZWQifQ"
    found = started([RawEvent(6, "NexusOperationStarted", 0, {"operationToken": token})])
    assert found == Link(NAMESPACE, RunRef("workflow", HANDLER.group, ""))
