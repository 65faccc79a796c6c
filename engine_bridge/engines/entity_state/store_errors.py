"""Errors of the SQL drivers in the user's words. No driver's text reaches a message unmasked."""

from __future__ import annotations

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
CAUGHT: Final = (sa.exc.SQLAlchemyError, OSError, ValueError, OverflowError, MemoryError, SystemError)

_REOPEN: Final = "Open the source again: its schema has changed."


def original(error: BaseException) -> BaseException:
    """The driver's own error."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return error.orig
    return error


def is_undecodable(error: BaseException) -> bool:
    """Whether a text of a SQLite file was not valid UTF-8, so that a tolerant second reading helps."""
    return "could not decode to utf-8" in str(original(error)).lower()


def is_hot_journal(error: BaseException) -> bool:
    """Whether SQLite wanted to roll a dead writer's journal back and was not allowed to."""
    return "readonly database" in str(original(error)).lower()


def translate(error: BaseException, place: str, path: Path | None) -> PlayheadError:
    """The error to show. ``place`` names the source without secrets, ``path`` its file, None for a server."""
    if isinstance(error, PlayheadError):
        return error
    cause = original(error)
    return _of_sqlite(cause, path) if path is not None else _of_postgresql(cause, place)


_SQLITE: Final[tuple[tuple[tuple[str, ...], type[PlayheadError], str, str], ...]] = (
    (("locked", "busy"), BusyError, "{name} is locked by another process.",
     "It can be read as soon as that process commits."),
    (("not a database",), CorruptError, "{name} is not an SQLite database.", "It may be encrypted, or another kind."),
    (("no such table", "no such column"), SchemaUnknownError, "{name} lacks a table or column that was there.",
     _REOPEN),
    (("disk i/o",), ConnectError, "{name} cannot be read: the disk reports an error.", "Check the disk."),
    (("malformed", "corrupt"), CorruptError, "{name} is damaged: it cannot be read here.",
     "Recover what is left with `sqlite3 FILE .recover`."),
)  # fmt: skip


def _of_sqlite(error: BaseException, path: Path) -> PlayheadError:
    text = str(error).lower()
    if "interrupted" in text:
        return CancelledError()
    if "unable to open" in text or isinstance(error, OSError):
        hint = "Check its folder's permissions."
        return missing_file(path) or ConnectError(f"{path.name} cannot be opened.", hint, text)
    for parts, kind, message, hint in _SQLITE:
        if any(part in text for part in parts):
            return kind(message.format(name=path.name), hint, text)
    return ConnectError(
        f"{path.name} answered with an error.",
        "Copy the details for a report.",
        f"{type(error).__name__}: {text}",
    )


_BY_STATE: Final[dict[str, tuple[type[PlayheadError], str, str]]] = {
    "57014": (ConnectError, "The question took too long for {place}.", "Narrow the filter."),
    "55P03": (BusyError, "A table of {place} is locked by another session.",
              "It can be read when that session ends its transaction."),
    "53300": (BusyError, "{place} has no free connections.", "Close others, or raise max_connections."),
    "3D000": (ConnectError, "There is no such database: {place}.", "Check its name."),
    "3F000": (SchemaUnknownError, "There is no such schema in {place}.", "Give its name with schema=…"),
    "42P01": (SchemaUnknownError, "A table is missing in {place}.", _REOPEN),
    "42703": (SchemaUnknownError, "A column is missing in {place}.", _REOPEN),
    "42704": (ConnectError, "{place} wants a setting that is not set: {detail}.",
              "Its row-level security asks for a tenant: add tenant=… to the URL."),
    "22P02": (ConnectError, "{place} does not take a value: {detail}.",
              "The tenant or id is of another type than its column."),
    "42501": (PermissionDeniedError, "{place} does not let you read this: {detail}.", "Ask for SELECT on it."),
}  # fmt: skip


def _of_postgresql(error: BaseException, place: str) -> PlayheadError:
    state = getattr(error, "sqlstate", None) or ""
    # Only the server's primary message: libpq's own text may quote a connection string.
    diagnostic: Any = getattr(error, "diag", None)
    detail = str(getattr(diagnostic, "message_primary", None) or "")
    text = str(error).lower()
    if "database" in text and "does not exist" in text:
        state = "3D000"
    if state in _BY_STATE:
        kind, message, hint = _BY_STATE[state]
        return kind(message.format(place=place, detail=detail), hint, detail)
    if "no password supplied" in text:
        hint = "Type it, or keep it in the keyring, PGPASSWORD or PGPASSFILE."
        return AuthError(f"{place} asks for a password.", hint)
    if state.startswith("28") or any(part in text for part in ("password", "authentication", 'role "')):
        hint = "Check user and password (keyring, PGPASSWORD or PGPASSFILE)."
        return AuthError(f"{place} refuses these credentials.", hint)
    if state.startswith(("08", "57P")) or isinstance(error, OSError) or _lost(error):
        hint = "Is the server up? The next try reconnects."
        return ConnectError(f"{place} cannot be reached, or closed the connection.", hint, state)
    detail = f"{type(error).__name__} {state} {detail}"
    return ConnectError(f"{place} answered with an error.", "Copy the details for a report.", detail)


def _lost(error: BaseException) -> bool:
    lost = {"OperationalError", "InterfaceError", "ConnectionTimeout", "AdminShutdown"}
    return type(error).__name__ in lost
