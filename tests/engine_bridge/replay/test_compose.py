"""The one file of a runner: of any package, self-contained, and with one meaning for each name."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine_bridge.engines.dbos import replay_input as dbos_replay
from engine_bridge.engines.temporal import replay_input as temporal_replay
from engine_bridge.errors import UsageError
from engine_bridge.replay.compose import PARTS, compose
from engine_bridge.replay.model import RunnerSpec
from tests.engine_bridge.replay.driving import recorded, run, written
from tests.engine_bridge.replay.plain import SPEC

ALLOWED_BEYOND_PYTHON = {"tests"}
Make = Callable[..., RunnerSpec]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A package of somebody else's, installed as a wheel would be, with the parts that a test gives."""
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    count = [0]

    def make(**parts: str) -> RunnerSpec:
        count[0] += 1
        name = f"third_party_{tmp_path.name.replace('-', '_')}_{count[0]}"
        written(tmp_path / "site-packages" / name, "", "__init__.py")
        for part, text in parts.items():
            written(tmp_path / "site-packages" / name, text.replace("PACKAGE", name), f"{part}.py")
        return msgspec.structs.replace(SPEC, runner=f"{name}:{'+'.join(f'{part}.py' for part in parts)}")

    return make


def test_the_file_imports_nothing_but_python(package: Make) -> None:
    tree = ast.parse(compose(SPEC))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").split(".")[0])
    assert found <= set(sys.stdlib_module_names), found - set(sys.stdlib_module_names)


def test_its_parts_are_written_for_the_oldest_python_that_is_supported() -> None:
    ast.parse(compose(SPEC), feature_version=(3, 10))
    assert "engine_bridge.engines" not in compose(SPEC)


ENGINE = """
    from engine_bridge.replay.runners.loop import Engine, Recorder, serve
    from PACKAGE.helper import double
    class Other(Engine):
        def warm(self): return "2.1", ()
        def load(self, job, recorder): return {"flow": ("f.py", double(2))}
        def replay(self, item, recorder):
            recorder.step("one")
            return {"outcome": "same"}
    serve(Other())
"""


def test_a_runner_of_any_package_is_taken(package: Make, tmp_path: Path) -> None:
    spec = package(helper="def double(n):\n    return 2 * n\n", engine=ENGINE)
    heard = run(written(tmp_path, ""), [recorded("r1", [])], spec=spec)
    assert heard.end.outcome == "same"
    assert heard.end.steps == 1


def test_a_name_that_would_hide_another_is_refused(package: Make) -> None:
    for text in (
        "def stack_from(): pass\n",
        "KEPT = 3\n",
        "LOCALS: int = 3\n",
        "from os import path as json\n",
        "import decimal as json\n",
        "os, more = 1, 2\n",
    ):
        with pytest.raises(UsageError, match="mean different things by"):
            compose(package(engine=text))


def test_an_import_of_ours_that_is_no_part_is_refused(package: Make) -> None:
    for text in (
        "from engine_bridge.errors import PlayheadError\n",
        "import engine_bridge.replay.trace\n",
        "import PACKAGE.x\n",
    ):
        with pytest.raises(UsageError, match="which is no part of its runner"):
            compose(package(engine=text))


def test_a_part_that_is_missing_is_said(package: Make) -> None:
    for runner in ("no_such_package:x.py", "tests.engine_bridge.replay.plain:nothing.py"):
        with pytest.raises(UsageError, match="has no part"):
            compose(msgspec.structs.replace(SPEC, runner=runner))


def test_every_part_is_composed() -> None:
    folder = Path(sys.modules["engine_bridge.replay"].__path__[0]) / "runners"
    assert {path.stem for path in folder.glob("*.py")} == {*PARTS, "__init__"}


@pytest.mark.parametrize("spec", [dbos_replay.SPEC, temporal_replay.SPEC], ids=lambda spec: spec.title)
def test_no_two_parts_of_an_engines_runner_define_one_name(spec: RunnerSpec) -> None:
    """Cheap, so that a new part is told at once; every part of the engine's folder is among those that are joined."""
    compile(compose(spec), "runner", "exec")
    package, _, files = spec.runner.partition(":")
    folder = Path(importlib.import_module(package).__path__[0])
    assert {path.name for path in folder.glob("*.py")} == {*files.split("+"), "__init__.py"}
