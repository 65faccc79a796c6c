"""A user's project: its interpreter and its modules found as an IDE would, and remembered without secrets."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import pytest

from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Project
from engine_bridge.replay.project import (
    candidates,
    check_python,
    chosen,
    find_python,
    last_project,
    load_project,
    modules_of,
    new_project,
    save_project,
)
from engine_bridge.replay.versions import fits
from tests.engine_bridge.replay.driving import written

FLOW = "from dbos import DBOS\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one file of code in it."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    written(tmp_path / "repo", FLOW, "src/shop/flows.py")
    return tmp_path / "repo"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    environment(tmp_path / "system")
    return {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "system" / "bin")}


def environment(folder: Path, version: str = "") -> Path:
    """An environment as tools make it, as far as it is looked at."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    if version:
        (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    return python


def found(repo: Path, environ: dict[str, str]) -> tuple[Path, str]:
    answer = find_python(repo / "src" / "shop" / "flows.py", environ)
    return answer.python, answer.how


def tool_hash(path: Path) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(str(path).encode()).digest()).decode()[:8]


# --- the interpreter ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".venv", "venv", "env", "my-own-name"])
def test_an_environment_in_the_project_wins(
    repo: Path, environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    python = environment(repo / name, "3.12.1")
    environ["VIRTUAL_ENV"] = str(environment(tmp_path / "active", "3.11").parent.parent)
    assert found(repo, environ) == (python, f"{name} in {repo}")
    assert find_python(repo / "src", environ).version == "3.12.1"


def test_the_nearest_environment_wins(repo: Path, environ: dict[str, str]) -> None:
    environment(repo / ".venv", "3.12")
    near = environment(repo / "src" / ".venv", "3.12")
    assert found(repo, environ)[0] == near


def test_environments_outside_of_the_repository_are_not_its_own(
    repo: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    environment(tmp_path / ".venv", "3.12")
    python, how = found(repo, environ)
    assert python == tmp_path / "system" / "bin" / "python"
    assert "no environment of its own" in how


def test_poetrys_environment(repo: Path, environ: dict[str, str], tmp_path: Path) -> None:
    written(repo, "[tool.poetry]\nname = 'My Shop'\n", "pyproject.toml")
    name = f"my_shop-{tool_hash(repo)}-py3.12"
    python = environment(tmp_path / "home/.cache/pypoetry/virtualenvs" / name, "3.12")
    environment(tmp_path / "home/.cache/pypoetry/virtualenvs/my_shop-XXXXXXXX-py3.12", "3.12")
    assert found(repo, environ)[0] == python
    assert "Poetry" in found(repo, environ)[1]


def test_pipenvs_environment(repo: Path, environ: dict[str, str], tmp_path: Path) -> None:
    written(repo, "", "Pipfile")
    python = environment(
        tmp_path / f"home/.local/share/virtualenvs/repo-{tool_hash(repo / 'Pipfile')}", "3.12"
    )
    assert found(repo, environ)[0] == python


def test_hatchs_environment(repo: Path, environ: dict[str, str], tmp_path: Path) -> None:
    written(repo, "[project]\nname = 'shop'\n[tool.hatch]\n", "pyproject.toml")
    python = environment(
        tmp_path / f"home/.local/share/hatch/env/virtual/shop/{tool_hash(repo)}/shop", "3.12"
    )
    assert found(repo, environ)[0] == python


def test_pdms_and_condas_environments(repo: Path, environ: dict[str, str], tmp_path: Path) -> None:
    conda = environment(tmp_path / "home/miniconda3/envs/shop")
    written(repo, "name: shop\ndependencies: []\n", "environment.yml")
    assert found(repo, environ) == (conda, "conda's environment shop, named in environment.yml")
    pdm = environment(tmp_path / "elsewhere", "3.12")
    written(repo, f"{pdm}\n", ".pdm-python")
    assert found(repo, environ)[0] == pdm


def test_an_active_environment_comes_before_the_path(
    repo: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    python = environment(tmp_path / "active", "3.12")
    environ["VIRTUAL_ENV"] = str(tmp_path / "active")
    assert found(repo, environ) == (python, "the environment that is active (VIRTUAL_ENV)")
    assert [c.python for c in candidates(repo, environ)] == [python, tmp_path / "system" / "bin" / "python"]


def test_code_within_an_environment_is_run_by_it(environ: dict[str, str], tmp_path: Path) -> None:
    python = environment(tmp_path / "tool", "3.12")
    code = written(tmp_path / "tool", FLOW, "lib/python3.12/site-packages/demo/flows.py")
    assert find_python(code, environ).python == python


def test_pyenvs_version_and_what_the_project_wants(
    repo: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    written(repo, "[project]\nname = 'shop'\nrequires-python = '>=3.12'\n", "pyproject.toml")
    python = environment(tmp_path / "home/.pyenv/versions/3.12.4")
    written(repo, "3.12.4\n", ".python-version")
    assert found(repo, environ)[0] == python
    environment(repo / ".venv", "3.11.2")
    answer = find_python(repo, environ)
    assert (answer.version, answer.wanted, answer.fits) == ("3.11.2", ">=3.12", False)


def test_nothing_at_all_still_answers(repo: Path) -> None:
    answer = find_python(repo, {"PATH": "/nowhere", "HOME": "/nowhere"})
    assert answer.python == Path(sys.executable)
    assert "no other Python was found" in answer.how


@pytest.mark.parametrize(
    "text", ["\x00", "[", "[project]\nname = 3\n[tool]\npoetry = 4\nhatch = 5\n", "tool = 1"]
)
def test_damaged_files_are_no_hindrance(repo: Path, environ: dict[str, str], text: str) -> None:
    for name in ("pyproject.toml", ".pdm-python", ".venv", "environment.yml", ".python-version", "Pipfile"):
        (repo / name).write_text(text)
    assert find_python(repo, environ).python.name == "python"
    assert modules_of(repo, "dbos").modules


def test_an_interpreter_is_asked_what_it_is(tmp_path: Path) -> None:
    answer = check_python(sys.executable)
    assert answer.version == ".".join(map(str, sys.version_info[:3]))
    assert answer.implementation == sys.implementation.name
    assert Path(answer.python).exists()
    for text, said in (
        (
            '#!/bin/sh\necho \'[[3, 9, 1], "x", "cpython"]\'\n',
            "is Python 3.9.1; a replay needs 3.10 or newer",
        ),
        ("#!/bin/sh\necho nonsense\n", "is no Python of version 3.10 or newer"),
        ("#!/bin/sh\necho '{\"a\": 1}'\n", "is no Python of version 3.10 or newer"),
    ):
        tool = tmp_path / "python"
        tool.write_text(text)
        tool.chmod(0o755)
        with pytest.raises(UsageError, match=said):
            check_python(str(tool))
    for name, said in (("/nowhere/python", "does not exist"), (str(tmp_path), "is no program")):
        with pytest.raises(UsageError, match=said):
            check_python(name)


def test_an_interpreter_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine_bridge.replay.interpreter_check._ASK_S", 0.5)
    tool = tmp_path / "python"
    tool.write_text("#!/bin/sh\nexec sleep 20\n")
    tool.chmod(0o755)
    with pytest.raises(UsageError, match=r"did not answer in 0.5 seconds"):
        check_python(str(tool))


VERSIONS = [
    ("3.4.0", ">=3,<4", True), ("4.0", ">=3,<4", False), ("2.9.9", ">=3,<4", False), ("3.4.0a1", ">=3.4", True),
    ("3.10.2", "==3.10.*", True), ("3.1.2", "==3.10.*", False), ("3.10", "~=3.8", True), ("4.0", "~=3.8", False),
    ("3.8.9", "~=3.8.1", True), ("3.9", "~=3.8.1", False), ("3.9", "!=3.9", False), ("1.2", "1.2.0", True),
    ("3.12", "^3.10", True), ("4.0", "^3.10", False), ("3.11", "~3.10", False), ("3.0.0", ">3", False),
    ("unknown", ">=3", True), ("3.1", "", True), ("3.1", "what?", True), ("3.10", "<=3.10", True),
]  # fmt: skip


@pytest.mark.parametrize(("version", "specifier", "expected"), VERSIONS)
def test_versions(version: str, specifier: str, expected: bool) -> None:
    assert fits(version, specifier) is expected


# --- the modules --------------------------------------------------------------------------------


def test_a_file_is_itself(tmp_path: Path) -> None:
    file = written(tmp_path, FLOW)
    answer = modules_of(file, "dbos")
    assert answer.modules == (str(file),)
    assert answer.paths[0] == answer.cwd == str(tmp_path)


def test_a_file_in_a_package_is_imported_from_its_root(repo: Path) -> None:
    for name in ("src/shop/__init__.py", "src/shop/deep/__init__.py"):
        written(repo, "", name)
    answer = modules_of(written(repo, FLOW, "src/shop/deep/flows.py"), "dbos")
    assert answer.modules == ("shop.deep.flows",)
    assert answer.paths == (str(repo / "src"), str(repo))
    assert answer.cwd == str(repo)
    assert modules_of(repo / "src/shop/deep/__init__.py").modules == ("shop.deep",)


def test_a_folder_with_one_module_that_uses_the_library(repo: Path) -> None:
    written(repo, "", "src/shop/__init__.py")
    for name in (
        "src/shop/other.py",
        "tests/test_flows.py",
        ".venv/lib/x.py",
        "node_modules/y.py",
        "build/z.py",
    ):
        written(repo, FLOW if "other" not in name else "import json\n", name)
    answer = modules_of(repo, "dbos")
    assert answer.modules == ("shop.flows",)
    assert answer.paths == (str(repo / "src"), str(repo))


def test_the_entry_point_that_imports_all_others_is_enough(repo: Path) -> None:
    written(repo, "", "src/shop/__init__.py")
    written(repo, "from dbos import DBOS\nfrom . import flows\nimport shop.refunds\n", "src/shop/main.py")
    written(repo, "import dbos\n", "src/shop/refunds.py")
    answer = modules_of(repo, "dbos")
    assert answer.modules == ("shop.main",)
    assert answer.choices == ("shop.main", "shop.flows", "shop.refunds")
    assert "imports all 2 others" in answer.how


def test_when_it_is_unclear_the_user_chooses(repo: Path) -> None:
    written(repo, FLOW, "billing.py")
    answer = modules_of(repo, "dbos")
    assert answer.modules == ()
    assert set(answer.choices) == {str(repo / "billing.py"), str(repo / "src/shop/flows.py")}
    made = chosen(repo, answer.choices)
    assert made.modules == answer.choices
    assert set(made.paths) >= {str(repo), str(repo / "src/shop")}


def test_a_package_is_not_itself_a_place_to_import_from(repo: Path) -> None:
    for name in ("__init__", "queue", "flows"):
        written(repo, FLOW if name == "flows" else "", f"src/shop/{name}.py")
    for answer in (modules_of(repo / "src" / "shop", "dbos"), chosen(repo / "src" / "shop", ["shop.flows"])):
        assert answer.modules == ("shop.flows",)
        assert answer.paths == (str(repo / "src"), str(repo))


def test_modules_of_a_nested_project_are_found_when_named(repo: Path) -> None:
    written(repo, "", "services/api/lib/pay/__init__.py")
    written(repo, FLOW, "services/api/lib/pay/flows.py")
    assert str(repo / "services/api/lib") in chosen(repo, ["pay.flows"]).paths


def test_source_folders_that_the_project_names(repo: Path) -> None:
    text = "[tool.setuptools.packages.find]\nwhere = ['lib']\n[tool.poetry]\npackages = [{include='p', from='py'}]\n"
    written(repo, text, "pyproject.toml")
    for folder in ("lib", "py"):
        written(repo, "", f"{folder}/x.py")
    assert set(modules_of(repo, "dbos").paths) >= {str(repo / "lib"), str(repo / "py"), str(repo / "src")}


def test_what_is_no_code_is_said(tmp_path: Path) -> None:
    written(tmp_path, "import json\n", "code/a.py")
    written(tmp_path, "", "notes.txt")
    for place, said in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "notes.txt", "is no Python file"),
        (tmp_path / "code", "imports dbos"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            modules_of(place, "dbos")
        assert caught.value.hint


def test_files_that_cannot_be_parsed_are_no_hindrance(repo: Path) -> None:
    for name, data in (
        ("a.py", b"def ("),
        ("b.py", b"\xff\x00"),
        ("c.py", b"(" * 5000),
        ("d.py", b"x" * 2_000_000),
    ):
        (repo / name).write_bytes(data)
    (repo / "e.py").symlink_to(repo / "nowhere")
    assert modules_of(repo, "dbos").modules == (str(repo / "src/shop/flows.py"),)


def test_thousands_of_files_take_a_moment(repo: Path) -> None:
    for folder in range(20):
        for n in range(20):
            written(repo, "import os\nfrom . import x\n", f"p{folder}/m{n}.py")
    assert modules_of(repo, "dbos").modules


# --- remembered ---------------------------------------------------------------------------------

SOURCE = "dbos+sqlite:////data/orders.db"


def test_a_project_is_remembered_per_source_and_code(tmp_path: Path) -> None:
    path, code = tmp_path / "state" / "projects.json", written(tmp_path, FLOW)
    project = Project(
        code=str(code), python="/p/python", modules=("m",), paths=("/a", "/b"), cwd="/c", options={"k": 1}
    )
    assert load_project(path, SOURCE, code) is None
    save_project(path, SOURCE, project)
    assert load_project(path, SOURCE, code) == project
    assert load_project(path, "another", code) is None
    assert load_project(path, SOURCE, tmp_path / "other.py") is None
    other = Project(code=str(tmp_path), python="/p/python")
    save_project(path, SOURCE, other)
    assert last_project(path, SOURCE) == other
    save_project(path, SOURCE, project)
    assert last_project(path, SOURCE) == project
    assert last_project(path, "another") is None


def test_secrets_of_its_environment_are_not_kept(tmp_path: Path) -> None:
    environment = {
        "MODE": "test", "DB_PASSWORD": "hunter2", "API_TOKEN": "hunter2", "DATABASE_URL": "hunter2",
        "BROKER": "amqp://u:hunter2@h", "SENTRY_DSN": "hunter2",
    }  # fmt: skip
    path = tmp_path / "projects.json"
    save_project(path, SOURCE, Project(code=str(tmp_path), python="p", options={"environment": environment}))
    kept = load_project(path, SOURCE, tmp_path)
    assert kept is not None and kept.options == {"environment": {"MODE": "test"}}
    assert "hunter2" not in path.read_text()
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text", ["", "[]", '{"projects": [{"source": 1}, null, {"source": "s", "project": {}}]}']
)
def test_a_damaged_file_remembers_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "projects.json"
    path.write_text(text)
    assert last_project(path, "s") is None
    save_project(path, SOURCE, Project(code=str(tmp_path), python="p"))
    assert last_project(path, SOURCE) is not None


def test_a_new_project_is_guessed_as_a_whole(repo: Path) -> None:
    environment(repo / ".venv", "3.12")
    project, interpreter, modules = new_project(repo, "dbos")
    assert project.python == str(repo / ".venv/bin/python")
    assert interpreter is not None and interpreter.how
    assert project.modules == modules.modules == (str(repo / "src/shop/flows.py"),)
    assert project.cwd == str(repo)
    assert new_project(repo, "dbos", "/my/python")[0].python == "/my/python"
