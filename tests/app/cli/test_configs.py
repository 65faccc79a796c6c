"""The commands on config files alone: lint, impact, simulate. On a source's data: test_configs_source.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.app.cli.conftest import Run
from tests.engines.entity_state.tools.conftest import SIMPLE, changed, renamed, without

BROKEN = without(SIMPLE, "", "close")
NO_CLAIM = without(SIMPLE, "shipping") | {
    "steps": [{k: v for k, v in step.items() if k != "claim"} for step in SIMPLE["steps"]]
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two configs."""
    monkeypatch.chdir(tmp_path)
    for name, config in (("order.json", SIMPLE), ("broken.json", BROKEN), ("new.json", NO_CLAIM)):
        (tmp_path / name).write_text(json.dumps(config, indent=2))
    return tmp_path


def test_a_clean_config(here: Path, playhead: Run) -> None:
    answer = playhead("lint", "order.json")
    assert (answer.code, answer.out, answer.err) == (0, "No findings in 1 file: order.\n", "")


def test_findings_are_lines_that_editors_understand(here: Path, playhead: Run) -> None:
    answer = playhead("lint", "broken.json", "nowhere.json")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "broken.json:12:5: error dead_end at /status_types/3: no step leads away from “shipped”, and it is not"
        " terminal. Add a step from it, or list it under terminal.",
        "broken.json:13:5: error unreachable_status at /status_types/4: no steps lead from the initial status to"
        " “done”. Add a step to it, or remove the status.",
        "nowhere.json: error unreadable at /: there is no such file. Check the path.",
        "3 errors in 1 file: order.",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "\ufeff{}", '{"workflow_type": "\ud83d"}', "\x00"])
def test_any_file_gives_findings_and_never_a_crash(here: Path, playhead: Run, text: str) -> None:
    (here / "odd.json").write_text(text, "utf-8", errors="surrogatepass")
    answer = playhead("lint", "odd.json")
    assert answer.code == 1 and answer.err == ""
    assert answer.out.startswith("odd.json")


def test_lint_as_json(here: Path, playhead: Run) -> None:
    answer = playhead("lint", "broken.json", "--json")
    found = answer.document
    assert answer.code == 1 and found["usable"] is False
    assert found["files"] == [{"name": "broken.json", "revision": "", "type": "order", "tenant": ""}]
    assert found["findings"][0] == {
        "code": "dead_end", "severity": "error", "file": "broken.json", "pointer": "/status_types/3", "line": 12,
        "column": 5, "reason": "no step leads away from “shipped”, and it is not terminal",
        "fix": "Add a step from it, or list it under terminal.", "count": None, "filter": "",
    }  # fmt: skip
    (declared,) = found["declared"]
    assert declared["nodes"][0] == {"status": "new", "role": "initial", "declared": True, "findings": []}
    assert declared["flows"][1] == {
        "source": "new", "target": "failed", "steps": ["check"], "requesters": ["user", "admin"], "rejection": True,
    }  # fmt: skip
    assert declared["merged"]["owning_module"] == "shop"
    assert declared["origins"]["/owning_module"] == "broken.json:7"
    assert declared["paths"]["shortest"] == {"statuses": ["new", "failed"], "steps": ["check"], "good": False}


def test_the_html_report_is_written(here: Path, playhead: Run) -> None:
    answer = playhead("lint", "order.json", "--html", "out.html")
    assert (answer.code, answer.err) == (0, "playhead: Wrote out.html.\n")
    assert (here / "out.html").read_text().startswith("<!DOCTYPE html>")
    refused = playhead("lint", "order.json", "--html", "no/such/folder.html")
    assert refused.code == 1 and "cannot be written: No such file or directory" in refused.err


def test_one_tenant(here: Path, playhead: Run) -> None:
    overlay = {"workflow_type": "order", "tenant": "acme", "initial": "nowhere"}
    (here / "acme.json").write_text(json.dumps(overlay))
    assert playhead("lint", "order.json", "acme.json").code == 1
    assert playhead("lint", "order.json", "acme.json", "--tenant", "acme").code == 1
    assert (
        playhead("lint", "order.json", "acme.json", "--tenant", "globex").out
        == "No findings in 1 file: order.\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("lint",), "Name a config, or a source with --source."),
        (("impact", "order.json"), "Name two places, OLD and NEW."),
        (("impact", "a", "b", "c"), "Name two places, OLD and NEW."),
        (("simulate", "order.json", "--chance", "check=1"), "'check=1' is no chance."),
        (("simulate", "order.json", "--chance", "check:success=many"), "'check:success=many' is no chance."),
        (("simulate", "order.json", "--chance", "chek:success=1"), "No step is called 'chek'."),
        (("simulate", "order.json", "--type", "other"), "No config for the workflow 'other'. Known: order."),
        (("simulate", "order.json", "-n", "0"), "Invalid value for '-n'"),
        (("replay",), "Missing argument 'SOURCE'."),
    ],
)
def test_wrong_usage_is_exit_code_2(here: Path, playhead: Run, args: tuple[str, ...], message: str) -> None:
    answer = playhead(*args)
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith(f"playhead: {message}") and answer.err.count("\n") == 1


def test_impact_without_a_source(here: Path, playhead: Run) -> None:
    answer = playhead("impact", "order.json", "new.json")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == "order"
    assert lines[2].split() == ["removed", "status", "shipping", "it", "was", "a", "claim"]
    assert (
        "  A migration is needed. How many entities would be stranded, only a source can tell: add --source."
        in lines
    )
    assert lines[-1].strip().startswith('UPDATE "orders" SET "status" = \'checked\'')


def test_impact_of_nothing_and_of_a_rename_of_a_step(here: Path, playhead: Run) -> None:
    same = playhead("impact", "order.json", "order.json")
    assert (same.code, same.out.splitlines()) == (
        0,
        ["order", "  No difference.", "  No migration: every status that was valid still is."],
    )
    (here / "renamed.json").write_text(json.dumps(renamed(SIMPLE, "close", "deliver")))
    other = playhead("impact", "order.json", "renamed.json")
    assert other.code == 0 and "deliver" in other.out


def test_impact_as_json(here: Path, playhead: Run) -> None:
    found = playhead("impact", "order.json", "new.json", "--json").document
    assert sorted(found) == ["items", "new", "old"]
    (item,) = found["items"]
    assert (item["type"], item["migration"], item["problem"]) == ("order", True, "")
    assert item["stranded"][0] | {"action": None} == {
        "status": "shipping", "count": None, "target": "checked",
        "why": "the release of the claim that step ship held",
        "filter": 'type == "order" and state == "shipping"', "action": None,
        "sql": 'UPDATE "orders" SET "status" = \'checked\', "version" = "version" + 1 WHERE "status" = \'shipping\';',
    }  # fmt: skip
    assert item["stranded"][0]["action"]["args"] == {"to": "checked", "config": "new.json"}
    assert item["old"]["merged"]["status_types"] == SIMPLE["status_types"]


def test_a_broken_new_config_is_exit_code_1(here: Path, playhead: Run) -> None:
    (here / "torn.json").write_text('{"workflow_type": "order",')
    for new in ("torn.json", "nowhere.json"):
        answer = playhead("impact", "order.json", new)
        assert answer.code == 1
        assert "The new config of order cannot be used, so nothing was compared" in answer.out
        assert "No migration" not in answer.out


def test_two_revisions(here: Path, playhead: Run) -> None:
    def git(*args: str) -> None:
        who = ("-c", "user.name=ann", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *args], cwd=here, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "order.json")
    git("commit", "-q", "-m", "first")
    (here / "order.json").write_text(json.dumps(NO_CLAIM))
    git("commit", "-q", "-am", "second")
    assert playhead("impact", "HEAD~1:order.json", "HEAD:order.json").code == 1
    assert playhead("impact", "HEAD:order.json", "order.json").code == 0
    assert playhead("lint", "HEAD~1:order.json").out == "No findings in 1 file: order.\n"
    missing = playhead("lint", "v9:order.json")
    assert missing.code == 1 and "git knows no revision v9" in missing.out


def test_simulate_prints_ends_statuses_and_ways(here: Path, playhead: Run) -> None:
    answer = playhead("simulate", "order.json", "-n", "100", "--chance", "*:rejection=0", "--chance", "*:failure=0",
                      "--chance", "*:death=0")  # fmt: skip
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[:4] == [
        "order: 100 lives, seed 0; 3 to 3 steps, half of them at most 3",
        "  good: 100 (100.0 %)",
        "  last status  lives",
        "  done           100  100.0 %",
    ]


def test_simulate_as_json_is_the_same_for_the_same_seed(here: Path, playhead: Run) -> None:
    def run(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = playhead("simulate", "order.json", "-n", "200", "--json", *more).document
        return found

    first = run("--seed", "3")
    assert first == run("--seed", "3") != run("--seed", "4")
    assert sorted(first) == ["edges", "ends", "hops", "n", "samples", "seed", "statuses", "type"]
    assert (first["n"], first["seed"], sum(first["ends"].values())) == (200, 3, 200)
    assert run("--chance", "check:success=0", "--chance", "check:failure=0")["statuses"] == {"failed": 200}


def test_a_config_that_cannot_be_simulated(here: Path, playhead: Run) -> None:
    (here / "odd.json").write_text(json.dumps(changed(SIMPLE, initial=7)))
    answer = playhead("simulate", "odd.json")
    assert answer.code == 1
    assert answer.err.startswith("playhead: The config cannot be used: odd.json:1: “initial”")


def test_control_characters_of_configs_are_escaped(here: Path, playhead: Run) -> None:
    (here / "odd.json").write_text(json.dumps(renamed(SIMPLE, "done", "do\u001b[31mne"), ensure_ascii=True))
    (here / "other.json").write_text(json.dumps(SIMPLE))
    for args in (
        ("lint", "odd.json"),
        ("impact", "odd.json", "other.json"),
        ("simulate", "odd.json", "-n", "5"),
    ):
        assert "\x1b" not in playhead(*args).out
