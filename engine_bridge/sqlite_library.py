"""The SQLite library of this process: pysqlite3 where it is newer than Python's own.

Every module of the application takes ``sqlite3`` from here. Two libraries that open one file undo each other's locks
(https://www.sqlite.org/howtocorrupt.html, 2.2.1); what comes of that is told in ``held_files``.
"""

from __future__ import annotations

import sqlite3 as _own
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3


def _newest() -> Any:
    try:
        import pysqlite3.dbapi2 as newer
    except ImportError:
        return _own
    return newer if newer.sqlite_version_info > _own.sqlite_version_info else _own


if not TYPE_CHECKING:
    sqlite3 = _newest()

__all__ = ["sqlite3"]
