"""A reference engine for entities whose status column is the state of their workflow. SQLAlchemy Core and msgspec only.

It imports nothing outside this package but those two (and networkx, for path analysis), so it can be split out.
"""

from __future__ import annotations

from .catalogue import Catalogue, load, load_texts
from .checks import Known
from .claims import DeadClaim, Janitors, Verdict
from .context import Context, bound, current, new_context, seal, unseal
from .database import connect, prepare_sqlite
from .delayed import Poller
from .engine import Engine, Workflow
from .findings import Finding
from .outbox import Event, Publisher
from .outcomes import BatchOutcome, Outcome
from .results import Call, DomainEvent, Later, Result, Row, failure, success
from .tables import Tables, enforce_tenants, entity_table
from .use_cases import UseCases

__all__ = [
    "BatchOutcome",
    "Call",
    "Catalogue",
    "Context",
    "DeadClaim",
    "DomainEvent",
    "Engine",
    "Event",
    "Finding",
    "Janitors",
    "Known",
    "Later",
    "Outcome",
    "Poller",
    "Publisher",
    "Result",
    "Row",
    "Tables",
    "UseCases",
    "Verdict",
    "Workflow",
    "bound",
    "connect",
    "current",
    "enforce_tenants",
    "entity_table",
    "failure",
    "load",
    "load_texts",
    "new_context",
    "prepare_sqlite",
    "seal",
    "success",
    "unseal",
]
