"""The rules of the house that no linter knows: sizes of files and functions."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
_KINDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Import)
FILE_LINES, FILE_MEDIAN, FUNCTION_LINES, FUNCTION_MEDIAN = 500, 150, 60, 9


@cache
def sources() -> dict[str, tuple[int, tuple[ast.AST, ...]]]:
    """Lines, functions and imports of every module."""
    found: dict[str, tuple[int, tuple[ast.AST, ...]]] = {}
    for package in ("app", "widgets", "engine_bridge", "resources"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text("utf-8")
            nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, _KINDS))
            found[str(path.relative_to(ROOT))] = text.count("\n"), tuple(nodes)
    return found


def test_files_and_functions_stay_small() -> None:
    files = {name: lines for name, (lines, _) in sources().items()}
    functions = {
        f"{name}:{node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for name, (_, nodes) in sources().items()
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    tests = {
        str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in (ROOT / "tests").rglob("*.py")
    }
    assert not {name: n for name, n in (files | tests).items() if n > FILE_LINES}
    assert not {name: n for name, n in functions.items() if n > FUNCTION_LINES}
    assert median(files.values()) <= FILE_MEDIAN
    assert median(functions.values()) <= FUNCTION_MEDIAN


def test_one_sqlite_library_opens_files_in_this_process() -> None:
    """Two of them undo each other's locks (``sqlite_library``). Runner parts live in the user's process."""
    own = {"engine_bridge/sqlite_library.py", "engine_bridge/engines/dbos/replay_parts/scratch.py"}
    importing = {
        name
        for name, (_, nodes) in sources().items()
        if not name.startswith("resources/")
        for node in nodes
        if isinstance(node, ast.Import)
        and any(one.name.startswith(("sqlite3", "pysqlite3")) for one in node.names)
    }
    assert importing == own
