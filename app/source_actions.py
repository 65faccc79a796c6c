"""What a user does with sources: open, connect, close, rename, save, passwords, views."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint

from app.context import Source
from app.pages import home
from app.saved import SavedView
from engine_bridge.errors import AuthError, PlayheadError, UsageError
from engine_bridge.focus import Focus
from engine_bridge.format import plain
from engine_bridge.words import Environment
from widgets.shell.sources_panel import PanelRow

if TYPE_CHECKING:
    from app.window import MainWindow


class SourceActions:
    """Carries them out on the window's sources. GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._sources = window.sources
        self._asked: set[str] = set()
        self._remembered: set[str] = set()
        self._sources.changed.connect(self._on_changed)

    def focused(self, action: Callable[[str], None]) -> Callable[[], None]:
        """A command's run: the action on the focused source."""

        def run() -> None:
            source = self._window.router.source()
            if source is None:
                raise UsageError("No source is chosen.")
            action(source.key)

        return run

    def open(self, target: str, title: str | None = None, secret: str | None = None) -> str | None:
        """Opens a URL, path or ``@name`` and goes to its first page; answers its key. Errors are shown."""
        try:
            key = self._sources.open(target, title=title, secret=secret)
        except PlayheadError as error:
            self._window.report(error)
            return None
        self._window.focus.set(Focus(page="runs", source=key))
        return key

    def go_to(self, key: str) -> None:
        """Goes to a source's first page; a closed one is opened."""
        source = self._sources.get(key)
        if source is None:
            return
        if source.state == "closed":
            self._sources.retry(key)
        self._window.focus.set(Focus(page=home(source), source=key))

    def _on_changed(self, key: str) -> None:
        source = self._sources.get(key)
        if source is None:
            self._asked.discard(key)
            self._remembered.discard(key)
        elif source.state == "live" and key not in self._remembered:
            self._remembered.add(key)
            self._remember(source)
            self._go_home(source)
        elif source.state == "failed" and isinstance(source.error, AuthError) and key not in self._asked:
            self._asked.add(key)
            self.ask_password(key)

    def _go_home(self, source: Source) -> None:
        """What a source has is known only now; nobody is taken away from what they went to meanwhile."""
        focus, opened = self._window.focus, Focus(page="runs", source=source.key)
        only = source.info.only if source.info is not None else None
        if focus.current == opened:
            focus.set(opened.with_(page=home(source)) if only is None else opened.with_(page="run", run=only))

    def _remember(self, source: Source) -> None:
        window = self._window
        try:
            window.saved.add_recent(source.url, source.title, window.settings.get("recents"))
        except PlayheadError as error:
            window.notify(error.message)
        window.reload_saved()

    def choose_file(self) -> None:
        from PySide6.QtWidgets import QFileDialog

        dialog = QFileDialog(self._window, "Open file")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.open_files)
        dialog.open()

    def open_files(self, paths: list[str]) -> None:
        """Opens files and folders: those that make one source together open as one."""
        if len(paths) < 2:
            for path in paths:
                self.open(path)
            return

        self._sources.in_thread("playhead-files", self._look_at, paths)

    def _look_at(self, paths: list[str]) -> None:
        from app.opening import together

        for target in together(paths):
            self._window.deliver(functools.partial(self.open, target))

    def connect(self) -> None:
        """Opens the connect dialog."""
        from app.connecting import Connecting

        self._window.connecting = Connecting(self._window)
        self._window.connecting.open()

    def retry(self, key: str) -> None:
        self._asked.discard(key)
        self._sources.retry(key)

    def ask_password(self, key: str) -> None:
        """Asks for a source's password and opens it with that."""
        from app.connecting import ask_password

        ask_password(self._window, key)

    def codec(self, key: str) -> None:
        """Asks for a source's codec server."""
        from app.source_codec import ask

        ask(self._window, key)

    def no_codec(self) -> str:
        """Why the focused source's codec server cannot be set now."""
        source = self._window.router.source()
        if source is None or source.info is None:
            return "no open source is chosen"
        from app.source_codec import why_not

        return why_not(source)

    def close(self, key: str) -> None:
        self._remembered.discard(key)
        self._sources.close(key)

    def remove(self, key: str) -> None:
        """Takes a source off the list; its password leaves the keyring."""
        source = self._sources.get(key)
        if source is None:
            return
        if source.saved:
            from app import secrets
            from app.opening import password_url

            self._sources.in_thread("playhead-keyring", secrets.forget, password_url(source.url))
        self._sources.remove(key)

    def rename(self, key: str) -> None:
        source = self._sources.get(key)
        if source is not None:
            self._ask(
                "Rename source",
                "Name",
                source.title,
                lambda name: self._sources.rename(key, name),
            )

    def set_environment(self, environment: Environment) -> Callable[[str], None]:
        """The action that says what a source is."""

        def run(key: str) -> None:
            self._sources.set_environment(key, environment)
            source = self._sources.get(key)
            if source is not None and not source.saved:
                self._window.notify("It holds until this window closes; save the source to keep it.")

        return run

    def save(self, key: str) -> None:
        source = self._sources.get(key)
        if source is not None:
            text = "Name (it opens as @name)"
            self._ask("Save source", text, source.title, lambda name: self._sources.save(key, name))

    def _ask(self, title: str, text: str, value: str, answer: Callable[[str], object]) -> None:
        from widgets.shell.ask import ask_text

        ask_text(self._window, title, text, value, answer)

    def copy_url(self, key: str) -> None:
        source = self._sources.get(key)
        if source is not None:
            self._window.copy(source.url)
            self._window.notify("Copied the URL; it holds no password.")

    def save_view(self) -> None:
        query = self._window.focus.current.query

        def keep(title: str) -> None:
            self._window.saved.save_view(title, query)
            self._window.reload_saved()

        self._ask("Save filter as view", plain(query, 80), "", keep)

    def show_view(self, view: SavedView) -> None:
        """Applies a saved view to the focused source, or to the first open one."""
        source = self._window.router.source() or next((s for s in self._sources.all() if s.session), None)
        if source is None:
            self._window.notify("Open a source first: a saved view filters its runs.")
        else:
            self._window.focus.set(Focus(page="runs", source=source.key, query=view.query))

    def remove_view(self, view: SavedView) -> None:
        self._window.saved.remove_view(view.title)
        self._window.reload_saved()

    def rename_row(self, row: PanelRow) -> None:
        if row.kind == "source":
            self.rename(row.value)

    def remove_row(self, row: PanelRow) -> None:
        if row.kind == "source":
            self.remove(row.value)
        elif row.kind == "view":
            self.remove_view(row.value)

    def show_menu(self, row: PanelRow | None, point: QPoint) -> None:
        """The context menu of a row of the sources panel."""
        from PySide6.QtWidgets import QMenu

        menu = QMenu(self._window)
        menu.setAccessibleName("Source actions")
        for title, run in self._entries(row):
            menu.addAction(title).triggered.connect(lambda _=False, r=run: r())
        menu.popup(point)

    def _entries(self, row: PanelRow | None) -> list[tuple[str, Callable[[], None]]]:
        if row is not None and row.kind == "view":
            return [
                ("Show", lambda: self.show_view(row.value)),
                ("Remove", lambda: self.remove_view(row.value)),
            ]
        source = self._sources.get(row.value) if row is not None and row.kind == "source" else None
        if source is None:
            return [("Connect …", self.connect), ("Open File …", self.choose_file)]
        key, is_open = source.key, source.state not in ("closed", "failed")
        toggle = ("Close", lambda: self.close(key)) if is_open else ("Open", lambda: self.go_to_again(key))
        codec = [("Codec Server …", lambda: self.codec(key))] if self._has_codec(source) else []
        save = [] if source.saved else [("Save as …", lambda: self.save(key))]
        return [
            toggle,
            *save,
            *codec,
            ("Rename …", lambda: self.rename(key)),
            ("Copy URL", lambda: self.copy_url(key)),
            ("Remove", lambda: self.remove(key)),
        ]

    def _has_codec(self, source: Source) -> bool:
        from app.source_codec import place_of

        return place_of(source) is not None

    def go_to_again(self, key: str) -> None:
        """Opens a closed or failed source and goes to it."""
        self.retry(key)
        self.go_to(key)

    def no_demo(self) -> str:
        """Why the demo cannot be opened now."""
        return self._window.showcase.reason()

    def no_worker(self) -> str:
        """Why the demo's worker cannot be killed now."""
        return self._window.showcase.no_worker()

    def kill_demo(self) -> None:
        self._window.showcase.kill_worker()

    def demo(self) -> None:
        self._window.showcase.start()
