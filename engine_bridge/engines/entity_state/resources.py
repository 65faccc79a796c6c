"""Resources of a source of entities, by kind. Their ids are ``type/row id``, so that actions find the row again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    resources_claims,
    resources_configs,
    resources_errors,
    resources_queues,
)
from engine_bridge.engines.entity_state.runs import refuse_hidden
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import UnsupportedError

_KINDS: Final[dict[str, tuple[Callable[[Store], bool], Callable[[Store, CancelToken], list[Resource]]]]] = {
    "claims": (resources_claims.present, resources_claims.read),
    "delayed": (resources_queues.has_delayed, resources_queues.delayed),
    "outbox": (resources_queues.has_outbox, resources_queues.outbox),
    "errors": (resources_errors.present, resources_errors.read),
    "configs": (lambda store: store.catalogue is not None, resources_configs.configs),
    "mapping": (lambda store: True, resources_configs.mapping),
}


def kinds(store: Store) -> tuple[str, ...]:
    """The kinds that an open store has."""
    return tuple(kind for kind, (present, _) in _KINDS.items() if present(store))


def read(store: Store, kind: str, cancel: CancelToken) -> list[Resource]:
    """The resources of one kind. Raises UnsupportedError for an unknown one, and where rows are hidden."""
    if kind not in _KINDS:
        raise UnsupportedError(f"There are no {kind[:80]}.", f"Known: {', '.join(_KINDS)}.")
    found = _KINDS[kind][1](store, cancel)
    if not found:
        refuse_hidden(store.workflows)
    return found
