"""The package of the client without what its own first lines import: whoever reads events needs its messages only.

``temporalio/__init__.py`` asks ``temporalio.service`` for its version, and so imports the client that is written in
Rust: 15 MB and 0.2 s in a window that never calls it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

_NAME = "temporalio"


class _Package(ModuleType):
    """Runs the package's own lines when somebody wants what they define."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        self.__class__ = ModuleType  # type: ignore[assignment]  # mypy takes classes of objects for fixed
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)


def defer() -> None:
    """Makes the package known, with its lines yet to run, where nobody has imported it. Any thread."""
    spec = None if _NAME in sys.modules else importlib.util.find_spec(_NAME)
    if spec is not None:
        package = importlib.util.module_from_spec(spec)
        package.__class__ = _Package
        sys.modules.setdefault(_NAME, package)
