"""Joins the parts of a runner into the one file that the user's interpreter runs."""

from __future__ import annotations

import ast
from functools import cache
from importlib import resources
from typing import Final

from engine_bridge.errors import UsageError
from engine_bridge.replay.model import RunnerSpec

PARTS: Final = ("channel", "pictures", "frames", "lines", "guard", "loop")
_PACKAGE: Final = "engine_bridge.replay.runners"


@cache
def compose(spec: RunnerSpec) -> str:
    """The source of an engine's runner: the common parts, the engine's own (which ends in ``serve(…)``).

    Raises UsageError when a name is defined twice, or a part imports anything of ours beyond the parts.
    """
    texts = [_part(_PACKAGE, f"{name}.py") for name in PARTS]
    package, _, file = spec.runner.partition(":")
    texts += [_part(package, name) for name in file.split("+")]
    seen: dict[str, int] = {}
    for number, text in enumerate(texts):
        for name in _defined(ast.parse(text)):
            if seen.setdefault(name, number) != number:
                raise UsageError(f"Two parts of the runner of {spec.title} define {name}.")
    return "\n\n".join(["from __future__ import annotations", *texts]) + "\n"


def _part(package: str, file: str) -> str:
    """The text of one part, without its imports of other parts."""
    text = resources.files(package).joinpath(file).read_text("utf-8")
    lines = text.splitlines()
    for node in ast.parse(text).body:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name == "__future__" or name.startswith("engine_bridge.") for name in names):
            last = node.end_lineno or node.lineno
            lines[node.lineno - 1 : last] = [""] * (last - node.lineno + 1)
    return "\n".join(lines)


def _defined(tree: ast.Module) -> set[str]:
    """Names that a part defines at its top; imports may repeat."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found
