"""``playhead act`` and ``playhead journal`` on an engine that is registered like any other."""

from __future__ import annotations

import csv
import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest

from app.journal import folder, journal
from app.saved import Saved
from engine_bridge.sqlite_library import sqlite3
from engine_bridge.words import Environment
from tests.app.cli.conftest import Run
from tests.fakes_actions import add_fault, applied, status_of


@pytest.fixture
def production(shop: Path) -> str:
    Saved().save_source("prod", f"shop://{shop}", Environment.PRODUCTION)
    return "@prod"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_an_action_they_are_listed_with_their_reasons(playhead: Run, shop: Path) -> None:
    add_status(shop, "r-0001", "running")
    answer = playhead("act", f"shop://{shop}", "r-0001", "--json")
    found = {line["action"]: line for line in answer.lines}
    assert found["retry"]["enabled"] is False and "running, not failed" in found["retry"]["disabled"]
    assert found["cancel"]["enabled"] is True
    assert [p["name"] for p in found["annotate"]["params"]] == [
        "text",
        "count",
        "data",
        "mode",
        "delay",
        "force",
    ]
    assert "it is running, not failed" in playhead("act", f"shop://{shop}", "r-0001").out


def add_status(shop: Path, run: str, status: str) -> None:
    with closing(sqlite3.connect(shop)) as db:
        db.execute("UPDATE run SET status=?, version=version+1 WHERE id=?", (status, run))
        db.commit()


def test_without_yes_the_plan_is_printed_and_nothing_changes(playhead: Run, shop: Path) -> None:
    before = digest(shop)
    answer = playhead("act", f"shop://{shop}", "r-0001", "retry")
    assert answer.code == 0 and "failed -> running" in answer.out and "Nothing was sent" in answer.out
    document = playhead("act", f"shop://{shop}", "r-0001", "retry", "--json", "--plan", "--yes").document
    assert document["sent"] is False and document["items"][0]["preconditions"] == [
        {"what": "version", "value": 1}
    ]
    assert digest(shop) == before and not folder().exists()


def test_yes_executes_and_the_journal_tells(playhead: Run, shop: Path) -> None:
    answer = playhead("act", f"shop://{shop}", "r-0001", "retry", "--yes", "--reason", "card fixed", "--json")
    assert answer.code == 0, answer.err
    receipt = answer.document["receipts"][0]
    assert receipt["verdict"] == "applied" and applied(shop) == {"r-0001": 1}
    outcome, intent = playhead("journal", f"shop://{shop}", "--json").lines
    assert (intent["kind"], intent["reason"], intent["target"]) == ("intent", "card fixed", "r-0001")
    assert (outcome["kind"], outcome["verdict"]) == ("outcome", "applied")
    assert outcome["request_id"] == intent["request_id"] == receipt["request_id"]
    assert "all as they were written" in playhead("journal", "--verify").out


def test_what_would_be_a_no_op_is_refused_with_the_reason_and_recorded(playhead: Run, shop: Path) -> None:
    add_status(shop, "r-0001", "completed")
    before = digest(shop)
    answer = playhead("act", f"shop://{shop}", "r-0001", "retry", "--yes")
    assert answer.code == 1 and "completed, not failed" in answer.err
    assert digest(shop) == before
    (row,) = playhead("journal", "--json").lines
    assert row["kind"] == "denied" and row["target"] == "r-0001"


def test_production_asks_for_the_id_and_a_reason(playhead: Run, shop: Path, production: str) -> None:
    command = ("act", production, "r-0002", "retry", "--yes", "--reason", "why")
    assert "--confirm 'r-0002'" in playhead("act", production, "r-0002", "retry").out
    denied = playhead(*command)
    assert denied.code == 1 and "--confirm 'r-0002'" in denied.err and applied(shop) == {}
    assert playhead(*command[:5], "--confirm", "r-0002").code == 1 and applied(shop) == {}
    assert playhead(*command, "--confirm", "r-0003").code == 1 and applied(shop) == {}
    assert playhead(*command, "--confirm", "r-0002").code == 0 and applied(shop) == {"r-0002": 1}
    kinds = [row["kind"] for row in playhead("journal", production, "--json").lines]
    assert kinds == ["outcome", "intent", "denied", "denied", "denied"]


def test_deleting_asks_for_the_id_anywhere(playhead: Run, shop: Path) -> None:
    assert playhead("act", f"shop://{shop}", "r-0001", "delete", "--yes").code == 1
    assert playhead("act", f"shop://{shop}", "r-0001", "delete", "--yes", "--confirm", "r-0001").code == 0
    assert status_of(shop, "r-0001") == "deleted"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "annotate needs text"),
        (("text=a", "colour=red"), "'colour' is no parameter of annotate"),
        (("text=a", "count=many"), "count takes a whole number, not 'many'"),
        (("text=a", "data={"), "data takes JSON"),
        (("text=a", 'data={"password": "hunter2"'), "data takes JSON, or @file: Expecting"),
        (("text=a", "mode=loud"), "mode takes one of: soft, hard"),
        (("text=a", "delay=soon"), "delay takes a duration"),
        (("text=a", "force=perhaps"), "force takes true or false"),
        (("text=a", "text=b"), "text is given twice"),
        (("text",), "'text' has no ="),
    ],
)
def test_bad_parameters_are_usage_errors_that_name_them(
    playhead: Run, shop: Path, words: tuple[str, ...], said: str
) -> None:
    answer = playhead("act", f"shop://{shop}", "r-0001", "annotate", *words, "--yes")
    assert answer.code == 2 and said in answer.err and "takes" in answer.err
    assert "hunter2" not in answer.err
    assert applied(shop) == {}


def test_parameters_are_typed_and_defaults_filled_in(playhead: Run, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": [1]}')
    words = ("text=a=b c", f"data=@{tmp_path / 'x.json'}", "delay=1m30s", "force=no", "mode=hard")
    document = playhead("act", f"shop://{shop}", "r-0001", "annotate", *words, "--json").document
    assert document["items"][0]["args"] == {
        "text": "a=b c",
        "count": 1,
        "data": {"a": [1]},
        "mode": "hard",
        "delay": 90_000_000_000,
        "force": False,
    }


def test_unknown_runs_and_actions_are_errors(playhead: Run, shop: Path) -> None:
    assert "r-0001" in playhead("act", f"shop://{shop}", "r-000", "retry").err
    answer = playhead("act", f"shop://{shop}", "r-0001", "explode")
    assert answer.code == 2 and "retry, cancel, delete, annotate" in answer.err


def test_resources_are_targets_too(playhead: Run, shop: Path) -> None:
    (line,) = playhead("act", f"shop://{shop}", "queue:orders", "--json").lines
    assert line["target"] == "queue:orders" and line["disabled"] == "it is paused already"


def test_a_stale_plan_overwrites_nothing_and_says_who_won(
    playhead: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.cli import act

    allowed = act.allow

    def somebody_is_faster(*args: object) -> None:
        allowed(*args)
        add_status(shop, "r-0001", "cancelled")

    monkeypatch.setattr(act, "allow", somebody_is_faster)
    answer = playhead("act", f"shop://{shop}", "r-0001", "retry", "--yes")
    assert answer.code == 1 and "stale" in answer.err and "the run changed" in answer.out
    assert status_of(shop, "r-0001") == "cancelled" and applied(shop) == {}


def test_an_engine_that_refuses_is_told_with_its_words(playhead: Run, shop: Path) -> None:
    add_fault(shop, "r-0001", "before-commit", "error")
    answer = playhead("act", f"shop://{shop}", "r-0001", "retry", "--yes")
    assert answer.code == 1 and "The shop refuses this run." in answer.out and "not applied" in answer.err
    assert applied(shop) == {}


def test_a_touched_journal_is_an_error_that_names_the_row(playhead: Run, shop: Path) -> None:
    for run in ("r-0001", "r-0002"):
        playhead("act", f"shop://{shop}", run, "retry", "--yes")
    with closing(sqlite3.connect(journal().path)) as db:
        db.execute("DROP TRIGGER journal_no_update")
        db.execute("UPDATE journal SET body=replace(body, 'r-0002', 'r-0003') WHERE seq=3")
        db.commit()
    answer = playhead("journal", "--verify")
    assert answer.code == 1 and "Row 3 of the journal does not fit" in answer.err
    assert playhead("journal", "--verify", "--json").lines[0]["bad_row"] == 3


def test_the_journal_is_exported_searched_and_limited(playhead: Run, shop: Path, tmp_path: Path) -> None:
    for run in ("r-0001", "r-0002"):
        playhead("act", f"shop://{shop}", run, "retry", "--yes", "--reason", f"=why {run}")
    assert "Wrote 4 rows" in playhead("journal", "--export", str(tmp_path / "j.jsonl")).out
    lines = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    playhead("journal", "--export", str(tmp_path / "j.csv"))
    with (tmp_path / "j.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["target"] == "r-0001" and rows[0]["reason"] == "'=why r-0001"
    assert [r["seq"] for r in playhead("journal", "--json", "--limit", "1").lines] == [4]
    assert {r["target"] for r in playhead("journal", "--json", "--search", "why r-0002").lines} == {"r-0002"}
    assert {r["target"] for r in playhead("journal", "--json", "--target", "r-0001").lines} == {"r-0001"}
    assert "retry" in playhead("journal").out


def test_an_empty_journal_says_so(playhead: Run) -> None:
    assert playhead("journal").out == "Nothing was done yet.\n"
    assert "0 rows" in playhead("journal", "--verify").out
    assert "Settled 0 of 0" in playhead("journal", "--settle").out
    assert not folder().exists()
