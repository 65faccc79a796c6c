"""The same run, read from a server, from its database and from an export: the same events, steps and payloads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine_bridge.bridge import Bridge, Sort, load_engine
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.errors import UsageError
from engine_bridge.history import History
from engine_bridge.model import Run, RunRef
from engine_bridge.replay.model import Edit
from tests.engines.temporal.dev import databases
from tests.engines.temporal.dev.databases import NEVER
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.shop import Shop

CLOSED = (
    "order-0001",
    "order-0007",
    "catalog",
    "agent",
    "invoice-cancelled",
    "invoice-terminated",
    "invoice-timed-out",
)


@pytest.fixture
def server(temporal_shop: Shop) -> Iterator[Bridge]:
    made = temporal_shop.child.bridge(temporal_shop.server.url)
    made.open(NEVER)
    yield made
    made.close()


@pytest.fixture
def database(temporal_shop: Shop) -> Iterator[DevBridge]:
    """The file of the running server."""
    made = databases.bridge(temporal_shop.server.file, NAMESPACE)
    made.open(NEVER)
    yield made
    made.close()


def listed(bridge: Bridge) -> list[Run]:
    """Every run, newest first, without what another test may add meanwhile."""
    page = bridge.runs(None, Sort(), None, "forward", 1_000, NEVER)
    return [run for run in page.items if not run.id.startswith(("grown", "nightly-run"))]


def same_events(one: History, other: History, *, made_up: bool = False) -> None:
    """``made_up``: the other's server adds a workflow task that it tries again, which it has not written anywhere."""
    size = len(one.events["position"])
    for name in ("position", "time_ns", "kind", "step", "step_status", "run_status", "attempt"):
        assert np.array_equal(one.events[name], other.events[name][:size]), name
    assert one.all_events() == other.all_events()[:size]
    added = [event.name for event in other.all_events()[size:]]
    assert added == (["WorkflowTaskScheduled", "WorkflowTaskStarted"][: len(added)] if made_up else [])


def same_steps(one: History, other: History) -> None:
    first, second = (list(history.all_steps()) for history in (one, other))
    assert len(first) == len(second)
    for left, right in zip(first, second, strict=True):
        assert left == right


def payloads(bridge: Bridge, history: History) -> list[bytes]:
    found = [ref for event in history.all_events() for ref in event.payloads]
    return [bridge.payload(ref.key, 0, -1, NEVER) for ref in found]


def test_a_database_tells_what_its_server_tells(server: Bridge, database: DevBridge) -> None:
    # Runs that other tests act on are theirs, and may move meanwhile.
    here, there = ([run for run in listed(b) if not _acted_on(run)] for b in (database, server))
    assert [run.ref for run in here] == [run.ref for run in there] and len(here) > 30
    assert here == there
    for run in here:
        one, other = databases.history(database, run.ref), databases.history(server, run.ref)
        same_events(one, other, made_up=run.id == "release")
        same_steps(one, other)
        assert _known(one.run) == _known(other.run)
        assert _known(database.run(run.ref, NEVER)) == _known(server.run(run.ref, NEVER))


def _acted_on(run: Run) -> bool:
    return run.id.startswith("acted-") or "-to-act-on" in run.id


def _known(run: Run | None) -> dict[str, Any]:
    """A header without what depends on when it was read, and on who polls now."""
    assert run is not None
    block = run.blocked_on
    if block is not None and block.kind == "queue":
        block = msgspec.structs.replace(block, what="", hint="", evidence=())
    facts = msgspec.structs.asdict(msgspec.structs.replace(run, now="", blocked_on=block))
    return {name: value for name, value in facts.items() if (run.id, name) != ("release", "updated_ns")}


def export(shop: Shop, ref: RunRef, path: Path) -> Path:
    """A history as ``temporal workflow show`` writes it."""
    command = [
        str(Path(sys.executable).with_name("temporal")), "workflow", "show", "--output", "json", "--address",
        shop.server.address, "--namespace", NAMESPACE, "--workflow-id", ref.group, "--run-id", ref.run,
    ]  # fmt: skip
    path.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return path


def test_an_export_is_the_same_history(temporal_shop: Shop, database: DevBridge, tmp_path: Path) -> None:
    runs = databases.runs(database)
    for id_ in CLOSED:
        ref = runs[id_].ref
        path = export(temporal_shop, ref, tmp_path / f"{id_}.json")
        file = load_engine("temporal").bridge(f"temporal+file://{path}", None)
        file.open(NEVER)
        (run,) = file.runs(None, Sort(), None, "forward", 10, NEVER).items
        assert run.ref == ref
        one, other = databases.history(file, ref), databases.history(database, ref)
        same_events(one, other)
        same_steps(one, other)
        assert payloads(file, one) == payloads(database, other)
        file.close()


def test_search_attributes_go_by_the_names_that_people_gave_them(bridge: DevBridge) -> None:
    """Stored as Keyword01 and the like: where the text search looks, and in what is exported and replayed."""
    ref = databases.runs(bridge)["order-0001"].ref
    (first, *_) = json.loads(bridge.native(ref, NEVER))["events"]
    held = first["workflowExecutionStartedEventAttributes"]["searchAttributes"]["indexedFields"]
    assert "tenant" in held and "Keyword01" not in held
    assert not list(bridge.search("keyword01", "all", 5, NEVER))


def test_a_replay_gets_the_history_as_it_is_stored(bridge: DevBridge, file: Path) -> None:
    from temporalio.api.history.v1 import History as Message

    run = databases.runs(bridge)["order-0001"]
    made = bridge.replay_input(run.ref, NEVER)
    events = Message.FromString(made.data.partition(b"\n")[2]).events
    assert [event.event_id for event in events] == databases.history(bridge, run.ref).events[
        "position"
    ].tolist()
    databases.run_sql(file, "DELETE FROM history_node WHERE node_id > 10")
    with pytest.raises(UsageError, match="missing"):
        bridge.replay_input(run.ref, NEVER)


def edited(data: bytes) -> bytes:
    """The edited history of an input, without what was recorded behind the cut."""
    header, _, events = data.partition(b"\n")
    return events[: len(events) - json.loads(header)["rest"]]


def test_what_if_is_the_same_of_a_server_its_database_and_an_export(
    temporal_shop: Shop, server: Bridge, database: DevBridge, tmp_path: Path
) -> None:
    """And nothing of it is written: the server's run is as long as before."""
    from temporalio.api.history.v1 import History as Message

    ref = databases.runs(database)["order-0001"].ref
    path = export(temporal_shop, ref, tmp_path / "order.json")
    file = load_engine("temporal").bridge(f"temporal+file://{path}", None)
    file.open(NEVER)
    before = server.replay_input(ref, NEVER).data
    kind = next(kind for kind in server.edits(ref, 12, NEVER) if kind.kind == "signal")
    edit = Edit(kind="signal", position=kind.position, name="approve", value="true")
    made = [bridge.what_if(ref, (edit,), NEVER) for bridge in (server, database, file)]
    first, *others = (list(Message.FromString(edited(item.data)).events) for item in made)
    assert first[-1].event_id == len(first) < len(Message.FromString(before.partition(b"\n")[2]).events)
    for events in others:
        assert [(e.event_id, e.event_type) for e in events] == [(e.event_id, e.event_type) for e in first]
        assert events[-3:] == first[-3:], "what was added"
    assert {(item.cut, item.was, item.steps) for item in made} == {(made[0].cut, made[0].was, made[0].steps)}
    # Parsed: the server writes maps in another order each time.
    after = Message.FromString(server.replay_input(ref, NEVER).data.partition(b"\n")[2])
    assert after == Message.FromString(before.partition(b"\n")[2])
    file.close()
