"""Python files of a project as text: which there are, what they are imported as, and what they import."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

MANY: Final = 3000
_LONG: Final = 1 << 20
_LEFT_OUT: Final = frozenset(
    {"node_modules", "site-packages", "__pycache__", "build", "dist", "tests", "test"}
)


class SourceFile(msgspec.Struct, frozen=True):
    """One module: the name it is imported by, the folder that must be on sys.path for it, and what it imports."""

    path: Path
    name: str
    root: Path
    imports: frozenset[str] = frozenset()

    def mentions(self, library: str) -> bool:
        """Whether it imports the library or a part of it."""
        return any(name == library or name.startswith(library + ".") for name in self.imports)


def source_file(path: Path) -> SourceFile:
    """What a file is imported as: a dotted name from the folder above its outermost package.

    A folder is a package when it has an ``__init__.py``, or when the file's relative imports reach it.
    """
    tree = _parsed(path)
    levels = [n.level for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)] if tree is not None else []
    reach = max(levels, default=0) - (path.name == "__init__.py")
    names = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() or reach > 0:
        if not folder.name.isidentifier():
            break
        names.insert(0, folder.name)
        folder, reach = folder.parent, reach - 1
    name = ".".join(names) or path.stem
    return SourceFile(path, name, folder, _imports(tree, name, path) if tree is not None else frozenset())


def python_files(folder: Path) -> Iterator[Path]:
    """Python files below a folder in order, without environments, caches, tests and what is hidden; MANY at most."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not _left_out(Path(place, f)))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith((".", "test_")) and name != "conftest.py":
                count += 1
                if count > MANY:
                    return
                yield Path(place, name)


def _left_out(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in _LEFT_OUT
    return hidden or folder.name.endswith(".egg-info") or (folder / "pyvenv.cfg").exists()


def _parsed(path: Path) -> ast.Module | None:
    try:
        if path.stat().st_size > _LONG:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _imports(tree: ast.Module, name: str, path: Path) -> frozenset[str]:
    """Absolute names that a module imports; of ``from a import b`` both ``a`` and ``a.b``."""
    found: set[str] = set()
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(found)
