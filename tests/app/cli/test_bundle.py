"""``playhead export``: what ``show`` says of a bundle is what it says of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.journal import journal
from tests.app.cli.conftest import Run


@pytest.fixture
def some(playhead: Run, orders: Path) -> list[str]:
    """One run of each workflow and status, and some more."""
    seen: dict[tuple[str, str], str] = {}
    for run in playhead("runs", orders, "--json", "--limit", "500").lines:
        seen.setdefault((run["type"], run["status"]), run["id"])
    return list(seen.values())


def shown(playhead: Run, run: str, *places: Path) -> list[Any]:
    """What is told of a run in each place; once more when it is not the same, as a minute may go by between."""
    for _ in range(2):
        found = [playhead("show", place, run, "--json").document for place in places]
        if found[0] == found[1]:
            break
    return found


def test_the_bundle_shows_the_same_runs(playhead: Run, orders: Path, some: list[str], tmp_path: Path) -> None:
    file = tmp_path / "some.playhead"
    answer = playhead("export", orders, *some, "-o", file, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["runs"] == len(some) and answer.document["left_out"] == {}
    listed = {run["id"]: run for run in playhead("runs", file, "--json").lines}
    for run in some:
        there, here = shown(playhead, run, orders, file)
        assert here == there
        assert listed[run]["status"] == there["run"]["status"]
    failures = {row["run_id"] for row in playhead("failures", file, "--json").lines}
    assert failures == {run for run in some if listed[run]["status"] == "failed"}


def test_a_file_is_not_overwritten_by_accident(
    playhead: Run, orders: Path, some: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "x.playhead"
    assert "1 runs" in playhead("export", orders, some[0], "-o", file).out
    assert playhead("export", orders, some[0], "-o", file).code == 2
    assert playhead("export", orders, some[0], "-o", file, "--replace").code == 0
    assert playhead("export", orders, "nope", "-o", tmp_path / "y.playhead").code == 1
    assert playhead("export", orders, some[0], "-o", tmp_path / "no" / "y.playhead").code == 1


def test_a_raw_export_is_meant_and_recorded(
    playhead: Run, orders: Path, some: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "raw.playhead"
    refused = playhead("export", orders, some[0], "-o", file, "--raw")
    assert refused.code == 1 and "every secret" in refused.err and not file.exists()
    answer = playhead("export", orders, some[0], "-o", file, "--raw", "--yes", "--reason", "for support")
    assert answer.code == 0 and file.exists()
    (row,) = playhead("journal", "--json").lines
    assert (row["kind"], row["target"], row["reason"]) == ("export", some[0], "for support")
    journal().close()
    assert "it may hold secrets" in playhead("show", file, some[0]).err


def test_nothing_is_done_to_a_bundle(playhead: Run, orders: Path, some: list[str], tmp_path: Path) -> None:
    file = tmp_path / "x.playhead"
    playhead("export", orders, some[0], "-o", file)
    answer = playhead("act", file, some[0])
    assert answer.code == 1 and "act on the source it came from" in answer.err
