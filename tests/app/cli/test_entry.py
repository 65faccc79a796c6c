"""Which arguments open the window at once, and that its errors read like those of the commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.entry import COMMANDS, opens_window

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("args", [[], ["orders.db"], ["@prod"], ["x+sqlite:///orders.db"]])
def test_a_source_or_nothing_opens_the_window(args: list[str]) -> None:
    assert opens_window(args)


@pytest.mark.parametrize(
    "args", [["--help"], ["-h"], ["--version"], ["a", "b"], *([name] for name in COMMANDS)]
)
def test_options_and_commands_go_to_the_command_line(args: list[str]) -> None:
    assert not opens_window(args)


@pytest.mark.parametrize("args", [[], ["orders.db"], ["--", "orders.db"]])
def test_without_a_display_every_way_says_the_same(args: list[str]) -> None:
    environment = {
        k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    }
    done = subprocess.run(
        [sys.executable, "-m", "app", *args], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("playhead: There is no display here") and done.stderr.count("\n") == 1


def test_a_full_disk_is_told_on_one_line(orders: Path) -> None:
    command = [sys.executable, "-m", "app", "runs", str(orders), "--limit", "1"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "playhead: What it says cannot be written: No space left on device.\n"


def test_closed_streams_are_no_trouble(orders: Path, tmp_path: Path) -> None:
    place = tmp_path / "answer"
    command = f"exec 2>&- 0<&-; exec '{sys.executable}' -m app runs '{orders}' --limit 1 > '{place}'"
    assert subprocess.run(["sh", "-c", command], cwd=ROOT).returncode == 0
    assert len(place.read_text().splitlines()) == 2
