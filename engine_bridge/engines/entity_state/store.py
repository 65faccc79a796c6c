"""The open, read-only database of a source of entities, with its mapping tied to the tables that are there.

::

    bound = store.workflow("invoice")                     # Bound: columns, statuses
    with store.reader(cancel) as read:                    # one short read-only transaction, the tenant set
        rows = read.all(sa.select(bound.id, bound.status).where(*bound.scope).limit(100))
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state import checks, mapping_load, store_bind
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.mapping import Mapping
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Connections, Reader
from engine_bridge.engines.entity_state.url import Place, parse
from engine_bridge.errors import NotFoundError, SchemaUnknownError

_TENANT_NOW = sa.text("SELECT nullif(current_setting('app.tenant_id', true), '')")


class Store:
    """Thread-safe once open. ``mapping`` is read when the store is made (raises UsageError where it cannot be).

    ``configs`` maps the source's config files to their types. ``bounds`` are all workflows, also unusable ones;
    ``findings`` what the load-time checks found; ``tenants_enforced``
    whether row-level security is active on any table; ``tenant`` whose rows are seen ("" all that may be seen).
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        self.place: Place = parse(url)
        self.url = self.place.location
        loaded = mapping_load.read(self.place.mapping)
        self.mapping: Mapping = loaded.mapping
        self.catalogue: Catalogue | None = loaded.catalogue
        self.bounds: tuple[Bound, ...] = ()
        self.findings: tuple[Finding, ...] = loaded.findings
        self.mapping_text = loaded.text
        self.configs = loaded.configs
        self.tenants_enforced = False
        self.version = ""
        self._loaded = loaded
        self._connections = Connections(self.place, secret)
        self._lock = threading.RLock()
        self._generation = -1

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._connections.dialect

    @property
    def sa_dialect(self) -> sa.Dialect:
        """SQLAlchemy's dialect, for rendering statements."""
        return self._connections.sa_dialect

    @property
    def tenant(self) -> str:
        """Whose rows are seen, "" without."""
        return self._connections.tenant

    @property
    def title(self) -> str:
        """The file's or the database's name."""
        return self.place.title

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user must know about how it was opened."""
        file = self._connections.file
        return (file.notice,) if file is not None and file.notice else ()

    @property
    def generation(self) -> int:
        """Counts how often the connections had to be made anew; marks of older ones are void."""
        return self._connections.generation

    def open(self, cancel: CancelToken) -> None:
        """Connects, ties the mapping to the tables and checks both. Raises PlayheadError."""
        self._connections.open(cancel)
        self._bind(cancel)

    def close(self) -> None:
        """Frees everything; may be called twice, and before open."""
        self._connections.close()

    def _bind(self, cancel: CancelToken) -> None:
        with self._lock, self._connections.reader(cancel) as read:
            if self.dialect == "postgresql" and not self.tenant:
                # A role may come with a tenant of its own (ALTER ROLE … SET app.tenant_id).
                self._connections.tenant = read.value(_TENANT_NOW) or ""
            report = checks.Report(self.mapping, self._loaded.findings)
            self.bounds = store_bind.bind(read.connection, self._loaded, self.place, self.tenant, report)
            self.version = store_bind.version(read.connection)
            self.tenants_enforced = any(bound.enforced for bound in self.bounds)
            self.findings = report.findings
            self._generation = self.generation

    @property
    def workflows(self) -> tuple[Bound, ...]:
        """The workflows that can be read, in the order of the mapping."""
        return tuple(bound for bound in self.bounds if bound.usable)

    def workflow(self, type: str) -> Bound:
        """One workflow. Raises NotFoundError for an unknown one, SchemaUnknownError for one that cannot be read."""
        for bound in self.bounds:
            if bound.type == type:
                if bound.problem:
                    raise SchemaUnknownError(
                        f"The workflow {type} cannot be read: {bound.problem}", "See its findings."
                    )
                return bound
        known = ", ".join(bound.type for bound in self.bounds)
        raise NotFoundError(f"There is no workflow {type[:200]}.", f"The mapping has: {known}.")

    @contextmanager
    def reader(self, cancel: CancelToken) -> Iterator[Reader]:
        """One short read-only transaction with the tenant's settings; one snapshot. Raises PlayheadError."""
        with self._connections.reader(cancel) as read:
            yield read

    @contextmanager
    def brief(self, cancel: CancelToken) -> Iterator[Reader]:
        """A reader that gives up where an application's commit would wait for long. Raises LongReadError too."""
        with self._connections.brief(cancel) as read:
            yield read

    def all(self, statement: sa.Executable, cancel: CancelToken, params: dict[str, Any] | None = None) -> Any:
        """All rows of one statement, in a transaction of its own."""
        with self.reader(cancel) as read:
            return read.all(statement, params)

    def version_token(self, cancel: CancelToken) -> str:
        """A text that differs from the last one when anything may have been committed."""
        return self._connections.version_token(cancel)

    def now_ns(self, cancel: CancelToken) -> int:
        """The database's clock, or this machine's for a file."""
        return self._connections.now_ns(cancel)

    def counts(self, bound: Bound, cancel: CancelToken) -> dict[tuple[str, str], int]:
        """(tenant, status) -> entities that may be seen; many short reads."""
        return checks.counts(self._connections, bound, cancel)

    def slices(self, bound: Bound, cancel: CancelToken) -> Iterator[list[sa.ColumnElement[bool]]]:
        """Conditions that cut a workflow's entities into spans that one short read can count."""
        return checks.slices(self._connections, bound.id, cancel)

    def slices_of(
        self,
        column: sa.ColumnElement[Any],
        cancel: CancelToken,
        rows: int = checks.SLICE_ROWS,
        within: Sequence[sa.ColumnElement[bool]] = (),
    ) -> Iterator[list[sa.ColumnElement[bool]]]:
        """The same by any column that has an index."""
        return checks.slices(self._connections, column, cancel, rows, within)

    def spans(
        self,
        column: sa.ColumnElement[Any],
        cancel: CancelToken,
        rows: int = checks.SLICE_ROWS,
        within: Sequence[sa.ColumnElement[bool]] = (),
    ) -> Iterator[list[sa.ColumnElement[bool]]]:
        """``slices_of`` where an application's commit would wait for a long read; else everything at once."""
        file = self._connections.file
        if file is not None and file.blocking:
            yield from self.slices_of(column, cancel, rows, within)
        else:
            yield [*within]

    def check_data(self, cancel: CancelToken) -> tuple[Finding, ...]:
        """Findings about the entities themselves: statuses that no config knows, by count. Reads every row."""
        return checks.of_data(self._connections, self.workflows, self.mapping, cancel)
