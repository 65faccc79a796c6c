"""Errors of the SQL drivers, told in the user's words. No driver's text reaches a message unmasked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.errors import (
    AuthError,
    BusyError,
    CancelledError,
    ConnectError,
    CorruptError,
    PermissionDeniedError,
    PlayheadError,
    SchemaUnknownError,
)
from engine_bridge.sqlite_file import missing_file

# What drivers raise besides their own classes: undecodable names, numbers out of range, absurd sizes.
CAUGHT = (sa.exc.SQLAlchemyError, OSError, ValueError, OverflowError, MemoryError, SystemError)

_COPY_HINT = "Ask its owner for a backup, or recover what is left with `sqlite3 FILE .recover`."
_UNDECODABLE = ("could not decode to utf-8", "codec can't decode")


def is_undecodable(error: BaseException) -> bool:
    """Whether a text value was not valid in its encoding, so that a tolerant second reading helps."""
    original = _original(error)
    text = str(original).lower()
    foreign = getattr(original, "sqlstate", None) == "22021"
    return foreign or isinstance(error, UnicodeDecodeError) or any(part in text for part in _UNDECODABLE)


def is_hot_journal(error: BaseException) -> bool:
    """Whether SQLite wanted to roll a dead writer's journal back and was not allowed to write."""
    return "readonly database" in str(_original(error)).lower()


def translate(error: BaseException, place: str, path: Path | None) -> PlayheadError:
    """The error to show for a driver's error. ``place`` names the source without secrets."""
    if isinstance(error, PlayheadError):
        return error
    original = _original(error)
    if path is not None:
        return _of_sqlite(original, path)
    return _of_postgresql(original, place)


def _original(error: BaseException) -> BaseException:
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return error.orig
    return error


_SQLITE_ERROR: Final = 1  # the statement does not fit the schema; https://www.sqlite.org/rescode.html


def _of_sqlite(error: BaseException, path: Path) -> PlayheadError:
    text = str(error).lower()
    if "interrupted" in text:
        return CancelledError()
    if "locked" in text or "busy" in text:
        return BusyError(
            f"{path.name} is locked by another process.",
            "It can be read as soon as that process commits; trying again.",
            text,
        )
    if "not a database" in text:
        return CorruptError(
            f"{path.name} is not an SQLite database.", "It may be encrypted, or a file of another kind."
        )
    if "unable to open" in text or isinstance(error, OSError):
        return missing_file(path) or ConnectError(
            f"{path.name} cannot be opened.", "Check its folder's permissions.", text
        )
    if "no such table" in text or "no such column" in text:
        return SchemaUnknownError(
            f"{path.name} does not have the tables that were there when it was opened.",
            "Open it again: its schema has changed.",
            text,
        )
    if "disk i/o" in text:
        return ConnectError(
            f"{path.name} cannot be read: the disk reports an error.",
            "Check the disk, or copy the file.",
            text,
        )
    if getattr(error, "sqlite_errorcode", 0) == _SQLITE_ERROR:
        return ConnectError(
            f"{path.name} does not answer as a DBOS database should.",
            "It may be damaged, or changed by hand. Copy the details for a report.",
            text,
        )
    return CorruptError(
        f"{path.name} is damaged: it cannot be read here.", _COPY_HINT, f"{type(error).__name__}: {text}"
    )


_REOPEN: Final = "Open it again: its schema has changed."
_BY_STATE: Final[dict[str, tuple[type[PlayheadError], str, str]]] = {
    "57014": (
        ConnectError,
        "The question took too long for {place}.",
        "Narrow the filter or the time window.",
    ),
    "55P03": (
        BusyError,
        "A table of {place} is locked by another session.",
        "It can be read when that session ends its transaction; trying again.",
    ),
    "53300": (BusyError, "{place} has no free connections.", "Close others, or raise max_connections."),
    "3D000": (
        ConnectError,
        "There is no such database: {place}.",
        "Check its name; DBOS system databases often end in _dbos_sys.",
    ),
    "3F000": (SchemaUnknownError, "There is no such schema in {place}.", "Give its name with ?schema=…"),
    "42P01": (SchemaUnknownError, "A table is missing in {place}.", _REOPEN),
    "42703": (SchemaUnknownError, "A column is missing in {place}.", _REOPEN),
}


# Errors on connecting carry no SQLSTATE, only the server's words.
_MISSING_DATABASE: Final = re.compile(r'database "[^"]*" does not exist')


def _of_postgresql(error: BaseException, place: str) -> PlayheadError:
    state = getattr(error, "sqlstate", None) or ""
    detail = _server_text(error)
    if state in _BY_STATE:
        return _of_state(state, place, detail)
    if state == "42501":
        return PermissionDeniedError(
            f"{place} does not let you read this: {detail}.", "Ask for SELECT on it.", detail
        )
    text = str(error).lower()
    if _MISSING_DATABASE.search(text):
        return _of_state("3D000", place, detail)
    if "no password supplied" in text:
        return AuthError(
            f"{place} asks for a password.", "Type it, or keep it in the keyring, PGPASSWORD or PGPASSFILE."
        )
    if state.startswith("28") or any(part in text for part in ("password", "authentication", 'role "')):
        return AuthError(
            f"{place} refuses these credentials.",
            "Check user and password (keyring, PGPASSWORD or PGPASSFILE).",
        )
    if isinstance(error, UnicodeDecodeError):
        return CorruptError(
            f"{place} sent text that is not valid in its encoding.", "Check the database's encoding."
        )
    if state.startswith(("08", "57P")) or isinstance(error, OSError) or _is_connection(error):
        return ConnectError(
            f"{place} cannot be reached, or closed the connection.",
            "Is the server up? The next try reconnects.",
            state,
        )
    return ConnectError(
        f"{place} answered with an error.",
        "Copy the details for a report.",
        f"{type(error).__name__} {state} {detail}",
    )


def _of_state(state: str, place: str, detail: str) -> PlayheadError:
    kind, message, hint = _BY_STATE[state]
    return kind(message.format(place=place), hint, detail)


def _is_connection(error: BaseException) -> bool:
    return type(error).__name__ in {
        "OperationalError",
        "InterfaceError",
        "ConnectionTimeout",
        "AdminShutdown",
    }


def _server_text(error: BaseException) -> str:
    # Only the server's primary message: libpq's own text may quote a connection string.
    diagnostic: Any = getattr(error, "diag", None)
    return str(getattr(diagnostic, "message_primary", None) or "")
