"""Arguments of staged actions, and values as DBOS writes them."""

from __future__ import annotations

import json
from typing import Any

from engine_bridge.actions.args import boolean, integer, json_value, text

__all__ = ["boolean", "integer", "json_text", "json_value", "text"]


def json_text(value: Any) -> str:
    """A value as DBOS's portable serialisation writes it (``dbos/_serialization.py``)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
