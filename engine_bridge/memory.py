"""What glibc is told so that a process gives back what it no longer needs. Elsewhere nothing is done.

Left alone it makes eight arenas a core, one for nearly each thread that a history passes through, and keeps in each of
them what once was free there. See mallopt(3) and malloc_trim(3).
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

_ARENA_MAX: Final = -8


@cache
def _library() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes

    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def share_arena() -> None:
    """All threads of this process allocate from one arena: most of them wait for the interpreter's lock anyway."""
    if _library() is not None:
        _library().mallopt(_ARENA_MAX, 1)


def trim() -> None:
    """Returns what is free now: some milliseconds, without the interpreter's lock."""
    if _library() is not None:
        _library().malloc_trim(0)
