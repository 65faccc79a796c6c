"""The command line, run in this process on real databases of the engine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.journal import journal
from engine_bridge import bridge
from tests.fakes_actions import install, make

DATA = Path(__file__).parents[2] / "data" / "dbos"


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def playhead(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*args: str) -> Answer:
        code = 0
        try:
            main([str(arg) for arg in args])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of an engine with actions, which is registered like any other; ``shop://PATH`` opens it."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "plugins")))
    bridge.engine_names.cache_clear()
    bridge.load_engine.cache_clear()
    yield make(tmp_path / "shop.db", 12)
    journal().close()
    bridge.engine_names.cache_clear()
    bridge.load_engine.cache_clear()


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """146 runs, written by the engine itself after kills, recoveries and two versions."""
    path = tmp_path_factory.mktemp("orders") / "orders.sqlite"
    path.write_bytes(gzip.decompress((DATA / "orders.sqlite.gz").read_bytes()))
    return path
