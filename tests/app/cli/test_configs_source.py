"""Lint, impact and replay on the entities of a source."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from app.cli import replay as replay_command
from app.opening import Opened
from engine_bridge.bridge import Capability
from tests.app.cli.conftest import Run
from tests.engines.entity_state.fixtures import Sample, make_file
from tests.engines.entity_state.sample import FIRST_USER
from tests.engines.entity_state.sample_configs import INVOICE
from tests.engines.entity_state.tools.conftest import changed, renamed

NO_SENDING = changed(
    INVOICE,
    status_types=[s for s in INVOICE["status_types"] if s != "sending"],
    steps=[
        {k: v for k, v in step.items() if k not in ("claim", "rejection_state")} for step in INVOICE["steps"]
    ],
)


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """20 invoices and 10 registrations; the working folder holds a config that removes a status."""
    (tmp_path / "new.json").write_text(json.dumps(NO_SENDING, indent=2))
    monkeypatch.chdir(tmp_path)
    return make_file("own", tmp_path / "app")


def test_a_config_that_removes_a_status_is_stopped_by_lint(sample: Sample, playhead: Run) -> None:
    assert "sending" not in playhead("lint", "new.json").out
    answer = playhead("lint", "new.json", "--source", sample.url)
    assert answer.code == 1
    assert (
        "new.json:12:19: error entities_on_unknown_status at /status_types: 3 entities stand on the status “sending”,"
        " which the config does not know. Keep the status, or move the entities first."
    ) in answer.out.splitlines()
    counts = {
        f["filter"]: f["count"]
        for f in playhead("lint", "new.json", "--source", sample.url, "--json").document["findings"]
    }
    assert counts['type == "invoice" and state == "sending"'] == 3


def test_the_filter_of_a_finding_lists_its_entities(sample: Sample, playhead: Run) -> None:
    found = playhead("lint", "new.json", "--source", sample.url, "--json").document["findings"]
    for finding in found:
        if finding["filter"]:
            listed = playhead("runs", sample.url, "--filter", finding["filter"], "--json").lines
            assert len(listed) == finding["count"]
    own = playhead("lint", "--source", sample.url, "--json").document["findings"]
    (call,) = [f for f in own if "video_call" in f["filter"]]
    assert call["filter"].endswith('tenant != "acme"')
    listed = playhead("runs", sample.url, "--filter", call["filter"], "--json").lines
    assert [run["id"] for run in listed] == [str(FIRST_USER + 9)]  # globex, on acme's status


def test_and_by_impact_with_the_exact_count(sample: Sample, playhead: Run) -> None:
    answer = playhead("impact", "new.json", "--source", sample.url)
    assert answer.code == 1
    assert "  4 entities would be stranded." in answer.out.splitlines()
    (way,) = [text for text in answer.out.splitlines() if text.startswith("  playhead act ")]
    planned = playhead(*shlex.split(way)[1:], "--plan", "--json").document
    assert (planned["runnable"], planned["refused"], planned["sent"]) == (3, {}, False)
    assert {i["changes"][0]["after"] for i in planned["items"]} == {"approved"}
    found = playhead("impact", "app/invoice.json", "new.json", "--source", sample.url, "--json").document
    (item,) = found["items"]
    assert [(s["status"], s["count"], s["target"]) for s in item["stranded"]] == [
        ("sending", 3, "approved"),
        ("archived", 1, ""),
    ]


def test_where_nobody_stands_the_change_may_pass(sample: Sample, playhead: Run) -> None:
    config = changed(INVOICE, status_types=[*INVOICE["status_types"], "archived"])
    config["steps"] = [
        *INVOICE["steps"],
        {"key": "shelve", "status": "overdue", "requesters": ["system"], "successful_state": "archived"},
        {"key": "unshelve", "status": "archived", "requesters": ["system"], "successful_state": "lost"},
    ]
    Path("one.json").write_text(json.dumps(config))
    answer = playhead("impact", "app/invoice.json", "one.json", "--source", sample.url)
    assert (answer.code, answer.out.splitlines()[-1]) == (
        0,
        "  No migration: every status that was valid still is.",
    )


def test_the_sources_own_configs_are_linted(sample: Sample, playhead: Run) -> None:
    answer = playhead("lint", "--source", sample.url, "--html", "out.html")
    assert answer.code == 1
    assert "1 entity stands on the status “archived”" in answer.out
    assert "registration (acme)" in Path("out.html").read_text()


def test_recorded_moves_against_the_own_config(sample: Sample, playhead: Run) -> None:
    answer = playhead("replay", sample.url)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == "invoice: 51 moves of 18 entities, 4 entities diverged."
    assert any("pay: approved → paid" in text and "inv-018 at 3" in text for text in lines)


def test_of_one_entity_and_of_those_that_match(sample: Sample, playhead: Run) -> None:
    good = playhead("replay", sample.url, "inv-010")
    assert (good.code, good.out) == (0, "invoice: 4 moves of 1 entity, no divergence.\n")
    both = playhead("replay", sample.url, "inv-010", "inv-018", "--json")
    assert both.code == 1
    (found,) = both.lines
    assert (found["type"], found["entities"], found["complete"]) == ("invoice", 2, True)
    (group,) = found["groups"]
    assert (group["kind"], group["recorded"], group["count"]) == ("no such step", "pay: approved → paid", 1)
    assert group["entities"][0]["ref"] == "inv-018"
    some = playhead(
        "replay", sample.url, "--filter", 'type == invoice and state == "paid"', "--code", "app/invoice.json"
    )
    assert some.code == 1
    assert some.out.startswith("invoice: 13 moves of 4 entities, 1 entity diverged.")


def test_against_a_changed_config(sample: Sample, playhead: Run) -> None:
    Path("renamed.json").write_text(json.dumps(renamed(INVOICE, "sent", "delivered")))
    answer = playhead("replay", sample.url, "--code", "renamed.json")
    assert answer.code == 1
    (text,) = [text for text in answer.out.splitlines() if "unknown status" in text]
    assert text.split()[:4] == ["10", "unknown", "status", "sent"]
    assert "registration" not in answer.out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--code", "nowhere.json"), 1, "The config cannot be used: nowhere.json: there is no such file."),
        (("inv-404",), 1, "No run 'inv-404'."),
        (("--filter", "nonsense =="), 2, "Filter, column"),
    ],
)
def test_what_cannot_be_replayed(
    sample: Sample, playhead: Run, args: tuple[str, ...], code: int, message: str
) -> None:
    answer = playhead("replay", sample.url, *args)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"playhead: {message}")


def test_a_source_without_configs_says_so(orders: Path, shop: Path, playhead: Run) -> None:
    for command in (("lint", "--source", str(orders)), ("impact", "x.json", "--source", str(orders))):
        answer = playhead(*command)
        assert answer.code == 1
        assert "This source has no configs" in answer.err
    answer = playhead("replay", f"shop://{shop}")
    assert answer.code == 1 and "Nothing of this source can be replayed" in answer.err


def test_another_kind_of_replay_stands_beside(
    orders: Path, playhead: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(replay_command.KINDS, Capability.REPLAY, f"{__name__}:replay_all")
    answer = playhead("replay", str(orders), "a", "b", "--code", "x", "--filter", "f")
    assert (answer.code, answer.out) == (7, "('a', 'b') f ('x',) False\n")


def replay_all(place: Opened, asked: replay_command.Asked) -> int:
    """Another kind: tells what it was asked."""
    print(asked.runs, asked.filter_text, asked.code, asked.as_json)
    return 7
