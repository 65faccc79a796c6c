"""Errors that reach the user: what happened, and what to do about it.

One subclass per boundary. Neither ``message`` nor ``hint`` may ever hold a secret: both reach
logs, dialogs and the terminal.
"""

from __future__ import annotations


class PlayheadError(Exception):
    """Base of every error that is shown to the user.

    ``message`` says what happened in one line; ``hint`` says what to do, or is empty;
    ``detail`` holds more lines for "copy details" (evidence, the driver's own text, masked).
    """

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(PlayheadError):
    """A command, setting or argument that does not fit."""


class QueryError(PlayheadError):
    """A filter that does not parse or name a field; ``column`` counts from 0 in the filter's text."""

    def __init__(self, message: str, hint: str = "", column: int = 0, length: int = 1) -> None:
        super().__init__(message, hint)
        self.column = column
        self.length = length


class ConnectError(PlayheadError):
    """The source cannot be reached or opened."""


class AuthError(ConnectError):
    """The source refuses these credentials or this role."""


class BusyError(ConnectError):
    """The source is locked by somebody else; the same call may succeed later."""


class CorruptError(ConnectError):
    """The file or server answered with something that cannot be its own data."""


class SchemaUnknownError(ConnectError):
    """The source holds a schema that this bridge does not know."""


class PermissionDeniedError(PlayheadError):
    """One object cannot be read with the grants at hand; the rest stays usable."""


class NotFoundError(PlayheadError):
    """No such run, step or resource (any more)."""


class StaleError(PlayheadError):
    """What was read has changed since."""


class UnsupportedError(PlayheadError):
    """The engine, its version or this bridge has no such thing."""


class RejectedError(PlayheadError):
    """The engine refused an action."""


class DecodeError(PlayheadError):
    """A payload or record cannot be decoded; its raw bytes are still there."""


class CancelledError(PlayheadError):
    """The user, or a newer question, cancelled the call."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
