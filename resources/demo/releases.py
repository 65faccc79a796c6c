"""The shop's releases. They differ in one workflow; a process loads the code of one release only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MODULES = ("billing", "imports", "inventory", "notices", "orders", "reports", "research", "shipping")
RETURNS = {"v1": "resources.demo.returns_v1", "v2": "resources.demo.returns"}


def load(release: str) -> None:
    """Registers a release's workflows with DBOS."""
    for module in MODULES:
        import_module(f"resources.demo.{module}")
    process_return(release)


def process_return(release: str) -> Any:
    """A release's workflow for returned parcels."""
    return import_module(RETURNS[release]).process_return
