"""Databases for the tests of the DBOS bridge."""

from __future__ import annotations

from tests.engines.dbos.act_tools import operator, operators, own_place, place
from tests.engines.dbos.databases import open_bridge, orders_file

__all__ = [
    "open_bridge",
    "operator",
    "operators",
    "orders_file",
    "own_place",
    "place",
]
