"""Bulk: chunks of moves in one transaction, losers told apart; the whole of it through the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.cli.main import main
from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_model import JobState, Settings
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Plan, Receipt, Verdict, new_request_id
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.act import EntityActor
from engine_bridge.errors import PlayheadError
from tests.engines.entity_state.act.tools import NEVER, Operator, Place, target_of

FAST = Settings(canary=0, rate=0, in_flight=100, stop_share=1)
Invoke = Callable[..., tuple[int, str, str]]


def stranded(place: Place, count: int, status: str = "archived") -> list[str]:
    names = [f"old-{number:03d}" for number in range(count)]
    with place.engine.begin() as connection:
        for name in names:
            connection.exec_driver_sql(
                f"INSERT INTO invoices (id, status, version, tenant_id) VALUES ('{name}', '{status}', 5, 'acme')"
            )
    return names


def together(ann: Operator, names: list[str], action: str, **args: str) -> list[Receipt | PlayheadError]:
    asked = tuple((ann.plan(name, action, **args), new_request_id()) for name in names)
    return ann.actor.execute_many(asked, NEVER)


def test_a_chunk_is_one_transaction_and_tells_losers_apart(own: Place) -> None:
    ann, bob, names = own.operator("ann"), own.operator("bob"), stranded(own, 12)
    asked = [(ann.plan(name, "degrade", to="sent"), new_request_id()) for name in names]
    bob.act(names[3], "degrade", to="draft")
    statements: list[str] = []
    assert ann.actor._writer is not None

    def begun(_: sa.Connection) -> None:
        statements.append("BEGIN")

    sa.event.listen(ann.actor._writer.engine, "commit", begun)
    receipts = ann.actor.execute_many(tuple(asked), NEVER)
    verdicts = [r.outcome.verdict for r in receipts if isinstance(r, Receipt)]
    assert verdicts == [Verdict.NOT_APPLIED if n == 3 else Verdict.APPLIED for n in range(12)]
    loser = receipts[3]
    assert isinstance(loser, Receipt) and loser.outcome.stale
    assert "bob moved it archived → draft" in loser.outcome.evidence[1]
    assert len({own.history(name)[-1] for name in names}) == 2
    moved = "SELECT count(DISTINCT changed_at) FROM workflow_history WHERE step_key = 'operator_degrade'"
    assert own.value(moved) >= 1 and own.status(names[0]) == ("sent", 6)


@pytest.mark.parametrize("own", ["postgresql"], indirect=True)
def test_two_chunks_in_opposite_order_do_not_block_each_other_for_ever(own: Place) -> None:
    import threading

    names = stranded(own, 30)
    operators = [own.operator("ann"), own.operator("bob")]
    asked = [
        tuple((o.plan(name, "degrade", to="sent"), new_request_id()) for name in order)
        for o, order in zip(operators, (names, names[::-1]), strict=True)
    ]
    found: list[list[Receipt | PlayheadError]] = [[], []]

    def run(n: int) -> None:
        found[n] = operators[n].actor.execute_many(asked[n], NEVER)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    every = [r for one in found for r in one if isinstance(r, Receipt)]
    assert len(every) == 60
    assert sum(r.outcome.verdict is Verdict.APPLIED for r in every) == 30
    assert all(own.status(name) == ("sent", 6) for name in names)


def test_one_that_cannot_be_written_does_not_take_the_others_with_it(own: Place) -> None:
    ann, names = own.operator("ann"), stranded(own, 4)
    if own.dialect == "sqlite":
        own.sql(
            "CREATE TRIGGER no BEFORE UPDATE ON invoices WHEN NEW.id = 'old-002' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    else:
        own.sql("ALTER TABLE invoices ADD CHECK (id <> 'old-002' OR status = 'archived')")
    receipts = together(ann, names, "degrade", to="sent")
    assert [isinstance(r, PlayheadError) for r in receipts] == [False, False, True, False]
    assert [own.status(name)[0] for name in names] == ["sent", "sent", "archived", "sent"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Journal, BulkStore]]:
    journal = Journal(tmp_path / "journal")
    store = BulkStore(tmp_path / "journal", journal.owner.dead)
    yield journal, store
    store.close()
    journal.close()


def test_a_bulk_job_degrades_all_and_its_reason_stands_in_each_history(
    own: Place, desk: tuple[Journal, BulkStore]
) -> None:
    journal, store = desk
    ann, names = own.operator("ann"), stranded(own, 120)
    items = tuple(ann.plan(name, "degrade", to="sent") for name in names)
    own.operator("bob").act(names[7], "degrade", to="draft")
    plan = Plan(id="p", source=own.url, environment="dev", items=items)
    job = store.create(plan, "release 12 drops archived", FAST, title="Degrade")
    with BulkRun(functools.partial(EntityActor, own.url), journal, store, job.id) as run:
        ended = run.run(CancelToken())
    assert ended.state is JobState.DONE and ended.counts == {"applied": 119, "stale": 1}
    assert own.metadata(names[0])["reason"] == "release 12 drops archived"
    assert own.value("SELECT count(*) FROM invoices WHERE status = 'archived' AND id LIKE 'old-%'") == 0


@pytest.fixture
def playhead(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(*args: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(args))
        except SystemExit as stop:
            code = int(stop.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_command_line_acts_on_entities_as_on_everything(own: Place, playhead: Invoke) -> None:
    code, out, _ = playhead("act", own.url, "invoice/inv-001", "move", "to=approved")
    assert code == 0 and "status: draft -> approved" in out and own.status("inv-001")[0] == "draft"
    code, _, err = playhead("act", own.url, "inv-001", "move", "to=approved", "--yes")
    assert code != 0 and "needs a reason" in err and own.status("inv-001")[0] == "draft"
    code, out, _ = playhead("act", own.url, "inv-001", "move", "to=approved", "--reason", "by phone", "--yes")
    assert code == 0 and "applied: Move invoice/inv-001 to approved" in out
    assert own.metadata("inv-001")["reason"] == "by phone"
    stranded(own, 3)
    query = 'state == "archived" and id != "inv-017"'
    code, out, err = playhead(
        "act", own.url, "degrade", "to=sent", "--filter", query, "--reason", "r", "--yes"
    )
    assert code == 0 and "3 applied" in out + err
    code, out, _ = playhead("journal", "--verify")
    assert code == 0


def test_the_copied_command_is_one_that_works(own: Place, playhead: Invoke) -> None:
    import shlex

    item = own.operator().plan(target_of("inv-001"), "move", to="approved")
    words = shlex.split(item.copy_as["CLI"])[1:]
    code, _, err = playhead(*words[:1], "--reason", "pasted", "--yes", *words[1:])
    assert code == 0, err
    assert own.status("inv-001") == ("approved", 1)
