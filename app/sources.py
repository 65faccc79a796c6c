"""The sources of this window: opened in the background, watched, and closed off the GUI thread."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.again import passes
from app.context import Source
from app.saved import Saved
from app.target import Secret, Target
from engine_bridge.errors import BusyError, CancelledError, PlayheadError
from engine_bridge.words import Environment

if TYPE_CHECKING:  # nothing of this is needed before a source is opened
    from app.opening import Opened
    from engine_bridge.session import Call, Session


_TELL_S = 0.1
_AGAIN_MS = 1_000
_LONGEST_MS = 60_000


class _Opening:
    """One attempt to open a source, in a thread of its own. Any thread may cancel it."""

    def __init__(self, key: str, done: Callable[[_Opening], None], told: Callable[[str], None]) -> None:
        self.key = key
        self.progress: tuple[int, int | None, str] = (0, None, "")
        self.opened: Opened | None = None
        self.error: PlayheadError | None = None
        self._done = done
        self._told = told
        self._told_s = 0.0
        self._lock = threading.Lock()
        self._cancelled = False
        self._call: Call | None = None

    def cancel(self) -> Session | None:
        """Gives up; answers the session to close when it was open already."""
        with self._lock:
            self._cancelled = True
            call, opened, self.opened = self._call, self.opened, None
        if call is not None:
            call.cancel()
        return opened.session if opened else None

    def run(self, target: Target) -> None:
        from app.opening import open_session
        from engine_bridge.session import describe_error

        try:
            opened = open_session(target, self._progressed, self._called, to_look=True)
        except BaseException as error:  # noqa: BLE001  whatever it was belongs to the source that failed to open
            self.error = describe_error(error)
        else:
            with self._lock:
                cancelled = self._cancelled
                self.opened = None if cancelled else opened
            if cancelled:
                opened.session.close()
        self._done(self)

    def _called(self, call: Call) -> None:
        with self._lock:
            self._call = call
            cancelled = self._cancelled
        if cancelled:
            call.cancel()

    def _progressed(self, done: int, total: int | None, text: str) -> None:
        self.progress = (done, total, text)
        if time.monotonic() - self._told_s > _TELL_S:
            self._told_s = time.monotonic()
            self._told(self.key)


class Sources(QObject):
    """All sources by key. GUI thread. ``changed`` carries the key of a source that came, went or changed."""

    changed = Signal(object)
    _arrived = Signal(object)
    _told = Signal(object)

    def __init__(self, saved: Saved | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.saved = saved or Saved()
        self._sources: dict[str, Source] = {}
        self._targets: dict[str, Target] = {}
        self._openings: dict[str, _Opening] = {}
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        self._pauses: dict[str, int] = {}
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)

    def all(self) -> list[Source]:
        return list(self._sources.values())

    def get(self, key: str) -> Source | None:
        return self._sources.get(key)

    def target(self, key: str) -> Target:
        """What a source is opened by. Raises KeyError."""
        return self._targets[key]

    def load_saved(self) -> None:
        """Lists the saved sources, closed. Raises PlayheadError when their file cannot be read."""
        for source in self.saved.sources():
            if self._same(source.url) is None:
                self._add(Target(source.url, source.name, source.environment), saved=True)

    def open(self, url: str, *, title: str | None = None, secret: str | None = None) -> str:
        """Opens a URL, a file path or ``@name`` and answers its key at once; a source that is listed is opened again.

        Raises NotFoundError for an unknown name; every other failure shows as the source's state.
        """
        from app.opening import target_of

        target = target_of(url, self.saved, secret)
        if title:
            target = replace(target, title=title)
        key = self._same(target.url)
        if key is None:
            key = self._add(target, saved=url.startswith("@"))
        else:
            self._keep(key, target)
        if self._sources[key].state in ("closed", "failed"):
            self._start(key)
        return key

    def _keep(self, key: str, target: Target) -> None:
        old = self._targets[key]
        environment = target.environment or old.environment
        self._targets[key] = replace(old, environment=environment, secret=target.secret or old.secret)

    def _same(self, url: str) -> str | None:
        return next((key for key, target in self._targets.items() if target.url == url), None)

    def _add(self, target: Target, *, saved: bool) -> str:
        key = f"s{next(self._numbers)}"
        self._targets[key] = target
        self._sources[key] = Source(key, target.title, target.url, saved=saved)
        self.changed.emit(key)
        return key

    def retry(self, key: str, secret: str | None = None) -> None:
        """Opens a failed or closed source again, with another password if one is given."""
        if secret:
            self._targets[key] = replace(self._targets[key], secret=Secret(secret))
        if self._sources[key].state in ("closed", "failed"):
            self._start(key)

    def _start(self, key: str, *, again: bool = False) -> None:
        self._give_up(key)
        opening = self._openings[key] = _Opening(key, self._arrived.emit, self._told.emit)
        if not again:
            self._set(key, state="opening", error=None)
        self.in_thread("playhead-open", opening.run, self._targets[key])

    def in_thread(self, name: str, work: Callable[..., object], *args: object) -> None:
        """Runs work in a thread that ``close_all`` waits for."""
        self._threads = [t for t in self._threads if t.is_alive()]
        thread = threading.Thread(target=work, args=args, name=name)
        self._threads.append(thread)
        thread.start()

    def progress(self, key: str) -> tuple[int, int | None, str]:
        """(done, total, text) of a source that is opening."""
        opening = self._openings.get(key)
        return opening.progress if opening else (0, None, "")

    @Slot(object)
    def _on_told(self, key: str) -> None:
        if key in self._openings:
            self.changed.emit(key)

    @Slot(object)
    def _on_arrived(self, opening: _Opening) -> None:
        if self._openings.get(opening.key) is not opening:
            return
        del self._openings[opening.key]
        opened = opening.opened
        if opened is None:
            cancelled = isinstance(opening.error, CancelledError)
            error = None if cancelled else opening.error
            self._set(opening.key, state="failed" if error else "closed", error=error)
            if error is not None and passes(error):
                QTimer.singleShot(
                    self._pause(opening.key, error), self, lambda: self._again(opening.key, error)
                )
            return
        self._pauses.pop(opening.key, None)
        self._set(
            opening.key,
            state="live",
            session=opened.session,
            info=opened.info,
            fields=opened.fields,
            seen_ns=time.time_ns(),
        )

    def _pause(self, key: str, error: PlayheadError) -> int:
        """How long to wait before a source is tried again, in ms: a lock is short, a lost server may stay away."""
        if isinstance(error, BusyError):
            return _AGAIN_MS
        self._pauses[key] = min(2 * self._pauses.get(key, _AGAIN_MS), _LONGEST_MS)
        return self._pauses[key]

    def _again(self, key: str, error: PlayheadError) -> None:
        """Tries to open what was locked or did not answer, its error in sight meanwhile."""
        source = self._sources.get(key)
        if source is not None and source.error is error:
            self._start(key, again=True)

    def mark(self, key: str, state: str, error: PlayheadError | None = None) -> None:
        """For the watch: whether an open source answers ("live") or not ("stale")."""
        source = self._sources.get(key)
        if source is None or source.state not in ("live", "stale"):
            return
        if state == "live":
            source.seen_ns = time.time_ns()
        if (state, error is None) != (source.state, source.error is None):
            self._set(key, state=state, error=error)

    def set_counts(self, key: str, counts: dict[str, int]) -> None:
        source = self._sources.get(key)
        if source is not None and source.counts != counts:
            self._set(key, counts=counts)

    def set_environment(self, key: str, environment: Environment) -> None:
        """Says what a source is; it holds for the next opening too, and for ever when the source is saved."""
        if self._sources[key].saved:
            self.saved.set_environment(self._targets[key].title, environment)
        self._targets[key] = replace(self._targets[key], environment=environment)
        info = self._sources[key].info
        if info is not None:
            self._set(key, info=msgspec.structs.replace(info, environment=environment))

    def set_codec(self, key: str, url: str, token: str | None) -> None:
        """Opens a source again under a URL with another codec server; a saved one keeps it.

        ``token`` None: no bearer token was given for it. Raises PlayheadError when it cannot be saved.
        """
        source, target = self._sources[key], self._targets[key]
        if source.saved:
            environment = target.environment or self._environment(key)
            self.saved.save_source(target.title, url, environment, replace=True)
        self.close(key)
        self._targets[key] = replace(target, url=url, token=Secret(token) if token else None)
        self._set(key, url=url)
        self._start(key)

    def rename(self, key: str, title: str) -> None:
        """Renames a source, and its saved name when it has one. Raises PlayheadError for a name that does not fit."""
        source = self._sources[key]
        if source.saved:
            self.saved.rename_source(self._targets[key].title, title)
        self._targets[key] = replace(self._targets[key], title=title)
        self._set(key, title=title)

    def close(self, key: str) -> None:
        """Closes a source; it stays listed. What is under way on it is cancelled."""
        source = self._sources.get(key)
        if source is None:
            return
        self._give_up(key)
        session = source.session
        self._set(key, state="closed", session=None, info=None, fields=[], error=None, counts={})
        if session is not None:
            self.in_thread("playhead-close", session.close)

    def _give_up(self, key: str) -> None:
        opening = self._openings.pop(key, None)
        session = opening.cancel() if opening else None
        if session is not None:
            self.in_thread("playhead-close", session.close)

    def remove(self, key: str) -> None:
        """Closes a source and takes it off the list, and off the saved ones."""
        self.close(key)
        source = self._sources.pop(key, None)
        target = self._targets.pop(key, None)
        if source is not None and target is not None and source.saved:
            self.saved.remove_source(target.title)
        self.changed.emit(key)

    def close_all(self) -> None:
        """Closes every source and waits for their threads: at exit, after the window is gone."""
        for key in list(self._sources):
            self.close(key)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _set(self, key: str, **changes: Any) -> None:
        source = self._sources[key]
        for name, value in changes.items():
            setattr(source, name, value)
        self.changed.emit(key)

    def save(self, key: str, name: str) -> None:
        """Keeps a source under a name. Raises PlayheadError when the name is taken or bad."""
        target = self._targets[key]
        environment = target.environment or self._environment(key)
        self.saved.save_source(name, target.url, environment)
        self._targets[key] = replace(target, title=name, environment=environment)
        self._set(key, title=name, saved=True)

    def _environment(self, key: str) -> Environment:
        info = self._sources[key].info
        return info.environment if info else Environment.DEV
