"""User code imports its own modules, whatever they are called, and the runner is not disturbed by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.replay.compose import PARTS
from engine_bridge.replay.model import Outcome, Project
from engine_bridge.replay.project import modules_of
from tests.engine_bridge.replay.driving import recorded, run, written

OURS = ("app", "widgets", "engine_bridge", "resources", *PARTS, "runner", "playhead")
STANDARD = ("json", "decimal", "uuid", "asyncio", "traceback", "zoneinfo")


@pytest.mark.parametrize("names", [OURS, STANDARD], ids=["our names", "names of Python"])
@pytest.mark.parametrize("packages", [True, False], ids=["packages", "modules"])
def test_modules_of_any_name_are_the_users(tmp_path: Path, names: tuple[str, ...], packages: bool) -> None:
    for name in names:
        if not packages:
            written(tmp_path, f"WHO = 'mine {name}'\n", f"{name}.py")
            continue
        written(tmp_path, "from .part import WHO\n", f"{name}/__init__.py")
        written(tmp_path, f"WHO = 'mine {name}'\n", f"{name}/part.py")
    imports = "\n".join(f"import {name}" for name in names)
    steps = "\n".join(f"    step({name}.WHO)" for name in names)
    place = written(tmp_path, f"{imports}\ndef flow(step):\n{steps}\n")
    heard = run(place, [recorded("r1", [(f"mine {name}", None) for name in names])])
    assert heard.end.outcome is Outcome.SAME, (heard.end, heard.bye.stack)
    assert len(heard.steps) == len(names)
    assert all(step.stack[0].line for step in heard.steps)


def replayed(code: Path, *steps: str) -> None:
    found = modules_of(code)
    assert found.modules
    place = Project(
        code=str(code),
        python=__import__("sys").executable,
        modules=found.modules,
        paths=found.paths,
        cwd=found.cwd,
    )
    heard = run(place, [recorded("r1", [(step, None) for step in steps])])
    assert heard.end.outcome is Outcome.SAME, (heard.end, heard.bye.stack)


def test_a_file_in_a_package_imports_as_its_package_does(tmp_path: Path) -> None:
    written(tmp_path, "[project]\nname='shop'\n", "pyproject.toml")
    written(tmp_path, "", "src/app/__init__.py")
    written(tmp_path, "", "src/app/flows/__init__.py")
    written(tmp_path, "NAME = 'near'\n", "src/app/names.py")
    written(tmp_path, "NAME = 'far'\n", "src/widgets.py")
    code = "from ..names import NAME\nimport widgets, app.names\ndef flow(step):\n"
    code += "    step(NAME); step(widgets.NAME); step(__name__)\n"
    replayed(written(tmp_path, code, "src/app/flows/orders.py"), "near", "far", "app.flows.orders")


def test_a_file_without_a_package_file_still_has_relative_imports(tmp_path: Path) -> None:
    written(tmp_path, "NAME = 'near'\n", "shop/names.py")
    code = "from .names import NAME\ndef flow(step):\n    step(NAME); step(__name__)\n"
    replayed(written(tmp_path, code, "shop/orders.py"), "near", "shop.orders")


def test_a_script_is_also_what_its_pickles_call_main(tmp_path: Path) -> None:
    code = """
    import pickle, helper
    class Order: pass
    def flow(step):
        order = pickle.loads(b"c__main__\\nOrder\\n.")
        step(order.__name__ if order is Order else "another")
        step(helper.NAME)
        step(__name__)
    """
    written(tmp_path, "NAME = 'helper'\n", "helper.py")
    replayed(written(tmp_path, code), "Order", "helper", "flows")


def test_a_script_does_not_start_its_worker(tmp_path: Path) -> None:
    code = "def flow(step):\n    step('a')\nif __name__ == '__main__':\n    raise SystemExit('a worker')\n"
    replayed(written(tmp_path, code), "a")


def test_the_command_line_is_the_scripts_own(tmp_path: Path) -> None:
    code = "import sys, os\nARGS = [os.path.basename(a) for a in sys.argv]\ndef flow(step):\n    step(str(ARGS))\n"
    replayed(written(tmp_path, code), "['flows.py']")


def test_nothing_is_written_into_the_project(tmp_path: Path) -> None:
    written(tmp_path, "NAME = 'a'\n", "pack/__init__.py")
    before = sorted(tmp_path.rglob("*"))
    replayed(written(tmp_path, "import pack\ndef flow(step):\n    step(pack.NAME)\n"), "a")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "flows.py"])
