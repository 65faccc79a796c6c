"""Joins the parts of a runner into the one file that the user's interpreter runs."""

from __future__ import annotations

import ast
from functools import cache
from importlib import resources
from typing import Final

from engine_bridge.errors import UsageError
from engine_bridge.replay.model import RunnerSpec

PARTS: Final = (
    "modules", "channel", "pictures", "frames", "lines", "failures", "kernel", "guard", "debugger", "life", "loop",
)  # fmt: skip
_PACKAGE: Final = "engine_bridge.replay.runners"
# The oldest that parses the file at all is 3.7; its own message beats an error somewhere in the parts.
_HEAD: Final = """from __future__ import annotations
import sys
if sys.version_info < (3, 10):
    sys.exit("Python %d.%d is too old for a replay: it needs 3.10 or newer" % sys.version_info[:2])
"""


@cache
def compose(spec: RunnerSpec) -> str:
    """The source of an engine's runner: the common parts, the engine's own (which ends in ``serve(…)``).

    ``spec.runner`` is ``package:file.py+file.py`` of any package that importlib.resources can read. Raises UsageError
    when a part is missing, defines a name of another, or imports anything of ours that is no part.
    """
    package, _, names = spec.runner.partition(":")
    files = [(_PACKAGE, f"{name}.py") for name in PARTS] + [(package, name) for name in names.split("+")]
    modules = {f"{owner}.{file.removesuffix('.py')}" for owner, file in files}
    texts, seen = [], dict[str, str]()
    for owner, file in files:
        text, tree = _read(owner, file, spec)
        for name, meaning in _names(tree, file, modules).items():
            if seen.setdefault(name, meaning) != meaning:
                raise UsageError(
                    f"Two parts of the runner of {spec.title} mean different things by {name} ({file})."
                )
        texts.append(_without_ours(text, tree, (_PACKAGE, package), modules, file))
    return "\n\n".join([_HEAD, *texts]) + "\n"


def _read(package: str, file: str, spec: RunnerSpec) -> tuple[str, ast.Module]:
    try:
        text = resources.files(package).joinpath(file).read_text("utf-8")
        return text, ast.parse(text)
    except (OSError, ImportError, ValueError, SyntaxError) as error:
        raise UsageError(
            f"The runner of {spec.title} has no part {file} in {package}.", "Install it anew.", str(error)
        ) from None


def _without_ours(text: str, tree: ast.Module, ours: tuple[str, ...], modules: set[str], file: str) -> str:
    """The text of one part without its imports of other parts, line by line as it was."""
    lines = text.splitlines()
    for node in tree.body:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if not any(name == "__future__" or name.startswith((*ours, "engine_bridge.")) for name in names):
            continue
        strange = [name for name in names if name != "__future__" and name not in modules]
        if strange:
            raise UsageError(f"{file} imports {strange[0]}, which is no part of its runner.")
        last = node.end_lineno or node.lineno
        lines[node.lineno - 1 : last] = [""] * (last - node.lineno + 1)
    return "\n".join(lines)


def _names(tree: ast.Module, file: str, modules: set[str]) -> dict[str, str]:
    """What a part binds at its top, with what it stands for; the parts share one namespace, so it must be one thing."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found[node.name] = file
        elif isinstance(node, ast.Import):
            found |= {
                (a.asname or a.name).split(".")[0]: a.name if a.asname else "module" for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module not in modules:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            found |= {part.id: file for part in ast.walk(target) if isinstance(part, ast.Name)}
    return found
