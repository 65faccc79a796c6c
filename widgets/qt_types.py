"""How PySide goes about its types and other modules, where that costs a window dear. GUI thread.

It makes its types when they are first looked at, and crashes when two threads do so at once: whoever imports a library
that uses Qt in another thread (pyqtgraph looks at every type there is) makes them before.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType


@cache
def _pending() -> list[tuple[ModuleType, str]]:
    from PySide6 import QtCore, QtGui, QtSvg, QtWidgets

    return [(module, name) for module in (QtSvg, QtWidgets, QtGui, QtCore) for name in dir(module)]


def make_types(most: int = 10_000) -> bool:
    """Makes at most ``most`` types that nobody has looked at yet, 0.1 ms each; whether any are left."""
    pending = _pending()
    for module, name in pending[-most:]:
        getattr(module, name)
    del pending[-most:]
    return bool(pending)


def leave_sources() -> None:
    """Keeps PySide from reading the source of each module that is imported after it, which linecache keeps: 25 MB.

    It looks for modules that may want Qt's names in snake case (``from __feature__ import``); ours do not.
    """
    feature = sys.modules.get("shibokensupport.feature")
    if feature is not None and hasattr(feature, "_mod_uses_pyside"):
        vars(feature)["_mod_uses_pyside"] = lambda module: False
