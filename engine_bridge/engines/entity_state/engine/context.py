"""Who does it and for whom: implicit inside a request (contextvars), explicit in every envelope."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from .errors import MissingContextError, MissingEnvelopeError


class Context(msgspec.Struct, frozen=True):
    """The circumstances of a call. ``tenant_id`` None is a system without tenants, or an operator with none set."""

    correlation_id: str
    requester_type: str
    tenant_id: str | None = None
    user_id: str | None = None


_CURRENT: ContextVar[Context | None] = ContextVar("entity_state_context", default=None)


def new_context(requester_type: str, tenant_id: str | None = None, user_id: str | None = None) -> Context:
    """A context with a correlation id of its own."""
    return Context(uuid.uuid4().hex, requester_type, tenant_id, user_id)


@contextmanager
def bound(context: Context) -> Iterator[Context]:
    """Makes a context the current one of this thread or task until the block ends."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)


def current() -> Context:
    """The context in force; raises MissingContextError where there is none."""
    found = _CURRENT.get()
    if found is None:
        raise MissingContextError("No context is bound. Wrap the call in `with bound(Context(…))`.")
    return found


def seal(context: Context) -> dict[str, Any]:
    """The envelope of a context: plain JSON, to be stored beside what crosses a boundary."""
    return {
        "correlation_id": context.correlation_id,
        "requester_type": context.requester_type,
        "tenant_id": context.tenant_id,
        "user_id": context.user_id,
    }


def unseal(envelope: Mapping[str, Any] | None) -> Context:
    """The context of an envelope; raises MissingEnvelopeError where one is missing, incomplete or mistyped.

    Every name must be present, also those whose value is null: an absent tenant is a lost tenant.
    """
    if not isinstance(envelope, Mapping):
        raise MissingEnvelopeError(
            "There is no envelope: whoever crossed the boundary must seal its context."
        )
    lacking = [name for name in Context.__struct_fields__ if name not in envelope]
    if lacking:
        raise MissingEnvelopeError(f"The envelope lacks {', '.join(lacking)}.")
    try:
        context = msgspec.convert(dict(envelope), Context)
    except msgspec.ValidationError as error:
        raise MissingEnvelopeError(f"The envelope is malformed: {error}") from error
    if not context.correlation_id or not context.requester_type:
        raise MissingEnvelopeError("The envelope has an empty correlation id or requester type.")
    return context
