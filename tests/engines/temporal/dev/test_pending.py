"""What a database tells of work under way: Nexus operations, resets; and that a lost event is not waited for."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.bridge import Bridge
from engine_bridge.engines.temporal import dev_client, dev_spaces, server_history
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.engines.temporal.dev_client import DevClient
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.model import Provenance, Status, StepStatus
from tests.engines.temporal.dev import databases
from tests.engines.temporal.dev.databases import NEVER
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.shop import Shop
from tests.waiting import until


@pytest.mark.parametrize(
    ("recorded", "kind", "attempts", "timed_out"),
    [("dev_nexus.db.gz", "retry", [3, 2], "6"), ("dev_nexus_chasm.db.gz", "step", [3, 3], "5")],
    ids=["in the run's record", "in the CHASM tree"],
)
def test_nexus_operations_under_way_are_recorded_facts(
    tmp_path: Path, recorded: str, kind: str, attempts: list[int], timed_out: str
) -> None:
    file = tmp_path / "nexus.db"
    file.write_bytes(gzip.decompress(databases.RECORDED.with_name(recorded).read_bytes()))
    bridge = databases.bridge(file, NAMESPACE)
    bridge.open(NEVER)
    run = bridge.run(databases.runs(bridge)["pays-1"].ref, NEVER)
    block = run.blocked_on
    assert block is not None and block.provenance is Provenance.RECORDED
    assert (block.kind, block.step_id) == (kind, "5") and "Bank.transfer" in block.what
    assert "attempt 3" in block.what and block.what.endswith("and 1 more")
    steps = {step.id: step for step in databases.history(bridge, run.ref).all_steps()}
    assert [steps[id_].attempts for id_ in ("5", "6")] == attempts
    assert all(steps[id_].status is StepStatus.RETRYING for id_ in ("5", "6"))
    why = steps[timed_out].failure
    assert why is not None and (why.type, why.message) == ("UPSTREAM_TIMEOUT", "upstream timeout")
    bridge.close()


def test_nexus_operations_lead_to_their_runs_and_back(tmp_path: Path) -> None:
    file = tmp_path / "served.db"
    file.write_bytes(gzip.decompress(databases.RECORDED.with_name("dev_nexus_served.db.gz").read_bytes()))
    here, there = databases.bridge(file, NAMESPACE), databases.bridge(file, "vault")
    for bridge in (here, there):
        bridge.open(NEVER)
    caller, mine = (databases.runs(here)[name].ref for name in ("pays-both", "transfer-bank"))
    theirs = databases.runs(there)["transfer-vault"].ref
    near, far = here.related(caller, None, 20, NEVER).items
    assert (near.role, near.step_id, near.ref, near.note) == ("nexus run", "5", mine, "")
    assert near.run is not None and near.run.status is Status.COMPLETED
    assert (far.role, far.run, far.ref) == ("nexus run", None, theirs)
    assert far.note == "in namespace vault: open this database with namespace=vault"
    first, second = databases.history(here, caller).all_steps()
    assert first.child == mine and second.child is None and "in namespace vault" in second.detail
    [back] = here.related(mine, None, 20, NEVER).items
    assert (back.role, back.ref, back.note) == ("caller", caller, "its step 5, a Nexus operation")
    [away] = there.related(theirs, None, 20, NEVER).items
    assert away.run is None and away.note.endswith(f"open this database with namespace={NAMESPACE}")
    for bridge in (here, there):
        bridge.close()


def test_a_run_that_was_reset_while_it_was_open_is_told_alike(temporal_shop: Shop) -> None:
    shop = temporal_shop
    shop.worker.ask("start", "send_invoice", "acted-reset", "i9")
    server: Bridge = shop.child.bridge(shop.server.url)
    server.open(NEVER)
    base = until(lambda: server.find("acted-reset", 1, NEVER))[0].ref
    until(lambda: len(databases.history(server, base)) >= 4)
    made = shop.worker.ask("reset", "acted-reset", 4)
    database = databases.bridge(shop.server.file, NAMESPACE)
    database.open(NEVER)
    for run in (base.run, made):
        ref = type(base)(base.kind, base.group, run)
        here, there = (one.run(ref, NEVER).extra for one in (database, server))
        assert {name: here.get(name) for name in RESET} == {name: there.get(name) for name in RESET}
        assert here.get("last_reset_ns" if run == made else "reset_to")
    database.close()
    server.close()


RESET = ("last_reset_ns", "reset_to", "original_start_ns", "first_run_id")


class Boastful(DevClient):
    """Tells of more events than there are, as a server does whose history lost some."""

    def call(self, rpc: str, request: Any, cancel: Any, **more: Any) -> Any:
        answer = super().call(rpc, request, cancel, **more)
        if rpc == "describe_workflow_execution":
            answer.workflow_execution_info.history_length += 3
        return answer


def test_an_open_run_whose_history_is_too_short_is_not_waited_for(
    bridge: DevBridge, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_client, "POLL_S", 0.2)
    ref = databases.runs(bridge)["order-0009"].ref
    store = Store(file)
    store.open(NEVER)
    boastful = Boastful(store, dev_spaces.choose(dev_spaces.read(store, NEVER), NAMESPACE, ""))
    whole = len(databases.history(bridge, ref))
    assert len(server_history.records(boastful, ref, NEVER)) == whole
    batches = list(server_history.read(boastful, server_history.Shelf(), ref, NEVER))
    assert sum(len(batch.events["position"]) for batch in batches) == whole
    assert any(f"of {whole + 3} events" in note for note in batches[-1].notes)
    store.close()
