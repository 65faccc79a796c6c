"""Path analysis, edges, selection by explanation, and simulation."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import engine_bridge.engines.entity_state.engine as package
from engine_bridge.engines.entity_state.engine.edges import edges
from engine_bridge.engines.entity_state.engine.paths import analyse
from engine_bridge.engines.entity_state.engine.selection import select
from engine_bridge.engines.entity_state.engine.simulation import Chances, Simulator, random_chooser, simulate
from tests.engines.entity_state.engine.shop import INVOICE, catalogue, changed


def test_all_paths_the_shortest_the_longest_loops_and_overrides() -> None:
    config = changed(INVOICE)
    config["steps"].append(
        {"key": "reopen", "status": "sent", "requesters": ["admin"], "successful_state": "draft"}
    )
    report = analyse(catalogue(config).get("invoice"))
    assert report.shortest is not None
    assert report.longest is not None
    assert report.shortest.statuses in (("draft", "void"), ("draft", "lost"))
    assert report.longest.statuses == ("draft", "approved", "sending", "sent", "reminded", "paid") or (
        report.longest.statuses[-1] == "lost"
    )
    assert len(report.paths) == 5
    assert [set(loop.statuses) for loop in report.loops] == [{"draft", "approved", "sending", "sent"}]
    assert {(e.source, e.target, e.step) for e in report.overrides} == {
        ("sent", "draft", "reopen"), ("draft", "lost", "approve"),
    }  # fmt: skip
    assert not report.truncated
    assert analyse(catalogue(config).get("invoice"), limit=2).truncated


def test_edges_say_kind_and_requesters() -> None:
    found = {(e.source, e.target): (e.kind, e.requesters) for e in edges(catalogue(INVOICE).get("invoice"))}
    assert found["approved", "sending"] == ("claim", ("user", "system"))
    assert found["sending", "approved"][0] == "release"
    assert found["draft", "void"] == ("rejection", ("user",))
    assert found["draft", "lost"] == ("rejection", ("admin",))


def test_an_explanation_names_every_step() -> None:
    chosen = select(catalogue(INVOICE).get("invoice"), "sent", "user", {"kind": "card"})
    assert chosen.step is not None
    assert chosen.step.key == "pay"
    reasons = {c.step: (c.applies, c.reasons) for c in chosen.candidates}
    assert reasons["pay"] == (
        True, ("it is for the status sent", "it is for the requesters user, system", "it asks for kind = bank or card"),
    )  # fmt: skip
    assert reasons["approve"] == (False, ("it is for the status draft",))
    assert set(reasons) == {"approve", "send", "remind", "pay", "pay_late", "give_up"}


def test_walking_one_entity_with_chosen_outcomes() -> None:
    simulator = Simulator(catalogue(INVOICE).get("invoice"))
    walk = simulator.walk(lambda _status, options: (options[0], "success") if options else None)
    assert (walk.end, [hop.step for hop in walk.hops]) == ("good", ["approve", "send", "pay"])
    walk = simulator.walk(lambda s, o: (o[0], "death" if s == "approved" else "success") if o else None)
    assert (walk.end, walk.status) == ("stuck", "sending")
    walk = simulator.walk(lambda s, o: (o[0], "failure"), bound=7)
    assert (walk.end, walk.status, len(walk.hops)) == ("bound", "draft", 7)
    only_paid_by_cash = Simulator(catalogue(INVOICE).get("invoice"), {"kind": "cash"})
    assert [o.step.key for o in only_paid_by_cash.options("sent")] == ["remind"]


def test_walking_thousands_follows_the_chances() -> None:
    document = catalogue(INVOICE).get("invoice")
    found = simulate(
        document, 2_000, seed=1, chances={"approve": Chances(1, 1)}, requesters={"user": 1, "system": 1}
    )
    assert found.n == 2_000
    assert 900 < found.statuses["void"] < 1_100
    assert found.statuses["void"] + found.statuses["paid"] == 2_000
    assert found.edges["draft", "void", "approve"] == found.statuses["void"]
    assert simulate(document, 10, requesters={"cron": 1}).ends == {"stuck": 10}
    assert simulate(document, 10, cancelled=lambda: True).n == 0
    assert random_chooser(random.Random(1))("x", ()) is None


def test_the_package_imports_nothing_of_ours_and_runs_elsewhere(tmp_path: Path) -> None:
    source = Path(package.__file__).parent
    allowed = {"sqlalchemy", "msgspec", "networkx", *sys.stdlib_module_names}
    for file in source.glob("*.py"):
        for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(item, ast.Import):
                assert {alias.name.split(".")[0] for alias in item.names} <= allowed, file
            elif isinstance(item, ast.ImportFrom) and item.level == 0:
                assert (item.module or "").split(".")[0] in allowed, file
    (tmp_path / "split_out").symlink_to(source)
    code = (
        "import sys, split_out, split_out.paths, split_out.simulation; print('engine_bridge' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n", done.stderr
