"""``playhead act --filter`` and ``playhead bulk``."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.saved import Saved
from engine_bridge.sqlite_library import sqlite3
from engine_bridge.words import Environment
from tests.app.cli.conftest import Run
from tests.fakes_actions import add_fault, applied, clear_faults

FAILED = ("retry", "--filter", "status == failed")
FAST = ("--rate", "0", "--max-in-flight", "2")


def complete_two(shop: Path) -> None:
    with closing(sqlite3.connect(shop)) as db:
        db.execute("UPDATE run SET status='completed' WHERE id IN ('r-0000', 'r-0001')")
        db.commit()


def test_a_plan_counts_shows_a_sample_and_sends_nothing(playhead: Run, shop: Path) -> None:
    complete_two(shop)
    answer = playhead("act", f"shop://{shop}", *FAILED)
    assert answer.code == 0 and "10 of 10 can be done." in answer.out
    assert "Retry r-0002" in answer.out and "--confirm 10" in answer.out and "Nothing was sent" in answer.out
    document = playhead("act", f"shop://{shop}", "retry", "--filter", "", "--json").document
    assert document["runnable"] == 10 and document["refused"] == {"it is completed, not failed": 2}
    assert len(document["items"]) == 12 and document["confirm"] == "10" and document["sent"] is False
    assert applied(shop) == {}


def test_it_is_executed_once_the_count_is_typed(playhead: Run, shop: Path) -> None:
    complete_two(shop)
    command = ("act", f"shop://{shop}", *FAILED, *FAST, "--yes", "--canary", "0", "--reason", "card fixed")
    assert playhead(*command).code == 1 and applied(shop) == {}
    answer = playhead(*command, "--confirm", "10", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["counts"] == {"applied": 10} and answer.document["state"] == "done"
    assert len(applied(shop)) == 10 and {i["state"] for i in answer.document["items"]} == {"applied"}
    rows = playhead("journal", "--json").lines
    assert {row["job"] for row in rows if row["kind"] == "intent"} == {answer.document["job"]}
    assert playhead("journal", "--verify").code == 0


def test_the_canary_stops_without_a_terminal_and_is_gone_on_with(playhead: Run, shop: Path) -> None:
    command = ("act", f"shop://{shop}", *FAILED, *FAST, "--yes", "--confirm", "12", "--canary", "3")
    answer = playhead(*command)
    assert answer.code == 1 and "9 were not sent" in answer.err and len(applied(shop)) == 3
    job = answer.err.split("playhead bulk resume ")[1].split()[0]
    assert "canary done" in playhead("bulk", "list").out
    assert "Nothing was sent" in playhead("bulk", "resume", job).out and len(applied(shop)) == 3
    assert playhead("bulk", "resume", job, "--yes").code == 0 and len(applied(shop)) == 12
    assert playhead("bulk", "resume", job, "--yes").code == 1
    assert playhead("bulk", "list", "--json").lines[0]["state"] == "done"


def test_the_canary_asks_on_a_terminal(playhead: Run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text) or True)
    command = ("act", f"shop://{shop}", *FAILED, *FAST, "--yes", "--confirm", "12", "--canary", "3")
    assert playhead(*command).code == 0 and asked == ["Go on with the other 9?"]


def test_errors_are_reported_item_by_item(playhead: Run, shop: Path) -> None:
    add_fault(shop, "r-0004", "start", "error")
    answer = playhead("act", f"shop://{shop}", *FAILED, *FAST, "--yes", "--confirm", "12", "--canary", "0")
    assert answer.code == 1 and "1 of 12 were not applied" in answer.err
    assert "Retry r-0004" in answer.out and "The shop refuses this run." in answer.out
    job = playhead("bulk", "list", "--json").lines[0]["job"]
    report = {line["target"]: line for line in playhead("bulk", "show", job, "--json").lines}
    assert report["r-0004"]["state"] == "not applied" and "refuses" in report["r-0004"]["why"]
    assert sum(line["state"] == "applied" for line in report.values()) == 11
    assert "not applied  Retry r-0004" in playhead("bulk", "show", job[:8]).out
    clear_faults(shop)


def test_a_job_is_given_up_for_good(playhead: Run, shop: Path) -> None:
    playhead("act", f"shop://{shop}", *FAILED, *FAST, "--yes", "--confirm", "12", "--canary", "2")
    job = playhead("bulk", "list", "--json").lines[0]["job"]
    assert "Cancelled" in playhead("bulk", "cancel", job).out
    assert playhead("bulk", "resume", job, "--yes").code == 1 and len(applied(shop)) == 2
    assert playhead("bulk", "cancel", job).code == 1


def test_what_cannot_be_done_in_bulk_says_so(playhead: Run, shop: Path) -> None:
    answer = playhead("act", f"shop://{shop}", "annotate", "text=x", "--filter", "status == failed")
    assert answer.code == 2 and "In bulk: retry, cancel, delete" in answer.err
    assert playhead("act", f"shop://{shop}", "retry", "--filter", "status ==").code == 2
    assert playhead("act", f"shop://{shop}", "retry", "--filter", "id == 'x'").code == 1
    assert playhead("act", f"shop://{shop}").code == 2


def test_production_needs_a_reason_too(playhead: Run, shop: Path) -> None:
    Saved().save_source("prod", f"shop://{shop}", Environment.PRODUCTION)
    command = ("act", "@prod", *FAILED, *FAST, "--yes", "--confirm", "12", "--canary", "0")
    assert playhead(*command).code == 1 and applied(shop) == {}
    assert playhead(*command, "--reason", "why").code == 0 and len(applied(shop)) == 12


def test_no_jobs_yet(playhead: Run) -> None:
    assert playhead("bulk", "list").out == "No bulk job was made yet.\n"
    assert playhead("bulk", "show", "x").code == 1
