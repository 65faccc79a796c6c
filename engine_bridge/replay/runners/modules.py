"""Runner part: the user's own modules are found before what the runner had imported under the same name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

# Taken before any other part imports something: what every Python has loaded when a script begins.
_AT_START = frozenset(sys.modules)


def use_paths(paths: tuple[str, ...], kept: tuple[str, ...]) -> None:
    """Puts folders at the front of sys.path; a module of theirs wins over one that only the runner has needed so far.

    ``kept`` are the folders of the engine's library, which the user's code must share with the runner.
    """
    for path in reversed(paths):
        if path in sys.path:
            sys.path.remove(path)
        sys.path.insert(0, path)
    for name in [name for name in sys.modules if "." not in name and name not in _AT_START]:
        if _shadowed(name, paths) and not _of(sys.modules[name], (*kept, *paths)):
            # Whoever imported it keeps it; the next import finds the user's, as in the user's own process.
            for old in [old for old in sys.modules if old == name or old.startswith(name + ".")]:
                del sys.modules[old]
    importlib.invalidate_caches()


def _shadowed(name: str, paths: tuple[str, ...]) -> bool:
    places = [os.path.join(path, name) for path in paths]
    return any(os.path.isfile(p + ".py") or os.path.isfile(os.path.join(p, "__init__.py")) for p in places)


def _of(module: Any, folders: tuple[str, ...]) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(folders)


def import_user(name: str) -> Any:
    """A module of the user's, by dotted name or by its file; a file is also what pickles call ``__main__``."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    stem = os.path.splitext(os.path.basename(name))[0]
    spec = importlib.util.spec_from_file_location(stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be imported")
    module = sys.modules[stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(stem, None)
        raise
    sys.modules["__main__"] = module
    return module
