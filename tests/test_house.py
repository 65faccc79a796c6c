"""The rules of the house that no linter knows: sizes of files and functions."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
FILE_LINES, FILE_MEDIAN, FUNCTION_LINES, FUNCTION_MEDIAN = 500, 150, 60, 9


def test_files_and_functions_stay_small() -> None:
    files: dict[str, int] = {}
    functions: dict[str, int] = {}
    for package in ("app", "widgets", "engine_bridge", "resources"):
        for path in (ROOT / package).rglob("*.py"):
            text, name = path.read_text("utf-8"), str(path.relative_to(ROOT))
            files[name] = text.count("\n")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    functions[f"{name}:{node.lineno}"] = (node.end_lineno or 0) - node.lineno + 1
    assert not {name: n for name, n in files.items() if n > FILE_LINES}
    assert not {name: n for name, n in functions.items() if n > FUNCTION_LINES}
    assert median(files.values()) <= FILE_MEDIAN
    assert median(functions.values()) <= FUNCTION_MEDIAN


def test_one_sqlite_library_opens_files_in_this_process() -> None:
    """Two of them undo each other's locks (``sqlite_library``). Runner parts live in the user's process."""
    own = {"engine_bridge/sqlite_library.py", "engine_bridge/engines/dbos/replay_parts/scratch.py"}
    importing = {
        str(path.relative_to(ROOT))
        for package in ("app", "widgets", "engine_bridge")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import)
        and any(name.name.startswith(("sqlite3", "pysqlite3")) for name in node.names)
    }
    assert importing == own
