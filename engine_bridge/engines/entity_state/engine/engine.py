"""The engine: configs, a database and the application's code put together; refuses to start on any fault."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from .batch import execute_batch
from .catalogue import Catalogue
from .checks import Known, check_document
from .claims import Janitors
from .context import Context
from .database import Database
from .database_checks import check_database
from .document import Document
from .entities import Entities
from .errors import ConfigError
from .findings import Report
from .manual import Manual
from .tables import Tables
from .transitions import Transitions
from .use_cases import UseCases


def utc_now() -> datetime:
    """The clock used unless another is given; aware."""
    return datetime.now(UTC)


def _nowhere(_point: str) -> None:
    """Nobody follows the points passed."""


class Workflow(Manual):
    """Everything that can be done with the entities of one workflow type: steps, batches, claims, observed moves."""

    execute_batch = execute_batch


class Engine:
    """An application's engine. ``at`` is called with the name of each point a step passes (tests and tracing).

    Raises ConfigError at once if the catalogue has errors, a use case or janitor is missing, or the database does not
    fit. ``findings`` keeps the warnings.
    """

    def __init__(
        self,
        database: sa.Engine,
        catalogue: Catalogue,
        use_cases: UseCases,
        *,
        janitors: Janitors | None = None,
        tables: Tables | None = None,
        clock: Callable[[], datetime] = utc_now,
        max_advance: int = 20,
        at: Callable[[str], None] = _nowhere,
    ) -> None:
        self.catalogue = catalogue.require()
        self.use_cases = use_cases
        self.janitors = janitors or Janitors()
        self.tables = tables or Tables()
        self.database = Database(database)
        self.clock = clock
        self.max_advance = max_advance
        self.at = at
        self._lock = threading.Lock()
        self._transitions: dict[int, Transitions] = {}
        self._check()

    def _check(self) -> None:
        report = Report()
        known = Known(self.use_cases.names, self.janitors.modules)
        for document in self.catalogue.documents.values():
            check_document(document, known, report)
        check_database(self.catalogue, self.database, report, self.tables)
        self.findings = report.findings
        if report.broken:
            raise ConfigError(report.findings)

    def workflow(self, workflow_type: str) -> Workflow:
        """The workflow of a type; raises UnknownWorkflowError where no config has it."""
        if workflow_type not in self.catalogue.types:
            self.catalogue.get(workflow_type)
        return Workflow(self, workflow_type)

    def transitions(self, document: Document, context: Context) -> Transitions:
        """What moves the entities of a document; the entity table is read from the database once."""
        found = self._transitions.get(id(document))
        if found is not None:
            return found
        with self._lock:
            if id(document) not in self._transitions:
                self._transitions[id(document)] = self._prepare(document, context)
            return self._transitions[id(document)]

    def _prepare(self, document: Document, context: Context) -> Transitions:
        flow = document.workflow
        with self.database.read(context) as connection:
            entities = Entities(connection, flow.entity)
        bad = frozenset(flow.terminal.bad)
        return Transitions(flow.workflow_type, bad, entities, self.tables, self.clock, lambda p: self.at(p))
