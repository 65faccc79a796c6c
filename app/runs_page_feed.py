"""Feeds a paged model from a session: reads the pages it wants, drops those nobody looks at any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.jobs import Jobs
from app.list_decoded import ListDecoded
from engine_bridge.bridge import Page
from engine_bridge.errors import PlayheadError
from engine_bridge.session import Session
from widgets.table.blocks import Fetch
from widgets.table.model import PagedModel

Arguments = Callable[[Fetch], tuple[Any, ...]]


class Feed(QObject):
    """Reads pages for one model, each in a slot of its own. GUI thread.

    ``started`` says that a new list begins; ``opened`` carries (first page, seconds it took); ``read`` every
    page; ``failed`` the error of a page; ``cancelled`` says that the user gave up.
    """

    started = Signal()
    opened = Signal(object)
    read = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, jobs: Jobs, model: PagedModel, name: str) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._model = model
        self._name = name
        self.decoded = ListDecoded(jobs, model, name)
        self._session: Session | None = None
        self._method = ""
        self._arguments: Arguments = lambda fetch: ()
        self._first: Fetch | None = None
        self._keep = False
        self._slots: set[str] = set()
        self.sift: Callable[[Page], Page] = lambda page: page  # what of a page belongs to the list
        jobs.given_up.connect(self._on_given_up)
        model.wanted.connect(self._on_wanted)
        model.unwanted.connect(self._on_unwanted)

    @property
    def busy(self) -> bool:
        """Whether a page is being read."""
        return any(self._jobs.running(slot) for slot in self._slots)

    @property
    def opening(self) -> bool:
        """Whether the list's first page is still to come."""
        return self._first is not None

    def open(self, session: Session, method: str, arguments: Arguments, *, keep: bool = False) -> None:
        """Reads a list from its top; ``keep`` shows the old rows until the new first page is there."""
        self.stop()
        self._session, self._method, self._arguments = session, method, arguments
        self._keep = keep
        self.decoded.of(session)
        self.started.emit()
        if not keep:
            self._model.clear()
        self._first = fetch = self._model.blocks.first() if not keep else _first_page(self._model)
        self._read(fetch)

    def peek(self, on_result: Callable[[Page], None]) -> None:
        """Reads the list's first page once more, beside everything else; errors are passed over."""
        if self._session is None:
            return
        arguments = self._arguments(_first_page(self._model))
        self._jobs.run(
            f"{self._name}:peek",
            self._session,
            self._method,
            *arguments,
            on_result=lambda page: on_result(self.decoded.page(self.sift(page))),
            on_error=lambda error: None,
        )

    def owns(self, slot: str) -> bool:
        """Whether a job's slot reads a page of this list."""
        return slot in self._slots

    def stop(self) -> None:
        """Cancels every page that is being read."""
        for slot in self._slots:
            self._jobs.cancel(slot)
        self._jobs.cancel(f"{self._name}:peek")
        self._slots.clear()
        self._first = None

    def cancel(self) -> None:
        """The user gave up on what is being read; what is there stays."""
        self.stop()
        self._model.blocks.forget_pending()
        self.cancelled.emit()

    def _on_given_up(self, slot: str) -> None:
        if slot in self._slots:
            self.cancel()

    def _on_wanted(self, fetches: list[Fetch]) -> None:
        if not (self._keep and self._first is not None):
            for fetch in fetches:
                self._read(fetch)

    def _on_unwanted(self, fetches: list[Fetch]) -> None:
        for fetch in fetches:
            self._jobs.cancel(self._slot(fetch))
            self._slots.discard(self._slot(fetch))

    def _slot(self, fetch: Fetch) -> str:
        return f"{self._name}:{fetch.direction}:{fetch.row}"

    def _read(self, fetch: Fetch) -> None:
        if self._session is None:
            return
        slot = self._slot(fetch)
        self._slots.add(slot)
        started = time.perf_counter()
        self._jobs.run(
            slot,
            self._session,
            self._method,
            *self._arguments(fetch),
            on_result=partial(self._got, fetch, started),
            on_error=partial(self._lost, fetch),
        )

    def _got(self, fetch: Fetch, started: float, page: Page) -> None:
        self._slots.discard(self._slot(fetch))
        page = self.decoded.page(self.sift(page))
        if fetch is not self._first:
            self._model.put(fetch, page)
        else:
            self._first = None
            if self._keep:
                self._model.restart(fetch, page)
            else:
                self._model.put(fetch, page)
            self.opened.emit((page, time.perf_counter() - started))
        self.read.emit(page)

    def _lost(self, fetch: Fetch, error: PlayheadError) -> None:
        self._slots.discard(self._slot(fetch))
        self._model.fail(fetch)
        if fetch is self._first:
            self._first = None
        self.failed.emit(error)


def _first_page(model: PagedModel) -> Fetch:
    return Fetch(0, None, "forward", model.blocks.size)
