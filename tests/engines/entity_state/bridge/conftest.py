"""Sample databases on SQLite and PostgreSQL, and stores and bridges on them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.engines.entity_state.fixtures import READER, entity_file, open_entities, open_store

__all__ = ["entity_file", "open_entities", "open_store"]


def as_reader(url: str, tenant: str = "", user: str = READER, mapping: Path | None = None) -> str:
    """The URL of the same source for another role and tenant, perhaps by another mapping."""
    head, _, rest = url.partition("://")
    _, _, place = rest.partition("@")
    if mapping is not None:
        place = re.sub(r"mapping=[^&]*", f"mapping={mapping}", place)
    return f"{head}://{user}@{place}" + (f"&tenant={tenant}" if tenant else "")
