"""The main window: the frame with its behaviour, put together from the registry, the focus and the sources."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent

from app.frame import Frame
from app.settings import Settings

if TYPE_CHECKING:  # what the first paint does without is imported by ``start``
    from app.connecting import Connecting
    from app.overlays import Overlays
    from app.saved import Recent, Saved, SavedView
    from app.showcase import Showcase
    from engine_bridge.errors import PlayheadError
    from widgets.shell.ask import AskPassword
    from widgets.shell.ask_codec import AskCodec
    from widgets.shell.crash_dialog import CrashDialog
    from widgets.shell.sources_panel import PanelRow
    from widgets.shell.welcome import Welcome

_DEFAULT_SIZE = (1440, 900)


class MainWindow(Frame):
    """Everything around the pages. Its parts are public, so that commands and tests use the same doors.

    Made in two steps where the start counts: the frame can be shown at once (``start=False``), and ``begin`` gives
    it its behaviour after the first paint.
    """

    _delivered = Signal(object)

    def __init__(self, settings: Settings | None = None, *, start: bool = True) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.connecting: Connecting | None = None
        self.password_dialog: AskPassword | None = None
        self.codec_dialog: AskCodec | None = None
        self._crash: CrashDialog | None = None
        self._views: list[SavedView] = []
        self._recents: list[Recent] = []
        self._started = False
        self._delivered.connect(self._on_delivered, Qt.ConnectionType.QueuedConnection)
        self._restore()
        if start:
            self.begin()

    def begin(self, saved: Saved | None = None) -> None:
        """Gives the window its behaviour. Once."""
        from app.actions_commands import action_commands
        from app.actions_desk import Desk
        from app.commands import CommandRegistry
        from app.context import Context
        from app.keys import Shortcuts
        from app.routing import Router
        from app.saved import Saved
        from app.shell_commands import shell_commands
        from app.source_actions import SourceActions
        from app.sources import Sources
        from app.watch import Watch
        from engine_bridge.focus import FocusModel
        from widgets import glyphs
        from widgets.theme import theme

        self.saved = saved or Saved()
        self.sources = Sources(self.saved, self)
        self.focus = FocusModel()
        self.commands = CommandRegistry()
        self.context = Context(
            self.focus,
            self.sources,
            self.commands,
            self.settings,
            self.notify,
            self.report,
            self.set_page_status,
        )
        self.router = Router(self.context, self)
        self.shortcuts = Shortcuts(self, self.run_command)
        self.actions_of_sources = SourceActions(self)
        self.desk = Desk(self)
        self.watch = Watch(self.sources, self)
        self.commands.add(*shell_commands(self), *action_commands(self.desk))
        self.router.built.append(self.desk.on_built)
        self._started = True
        self._connect()
        self.settings.changed.append(self._on_setting)
        self.top_bar.decorate()
        self.setWindowIcon(glyphs.icon("timeline", theme().color("playhead"), 64))
        self._show_zone()
        self.reload_saved()
        self.router.show()

    @cached_property
    def overlays(self) -> Overlays:
        """Palette, quick open, key sheet: made when first used."""
        from app.overlays import Overlays

        return Overlays(self)

    @cached_property
    def showcase(self) -> Showcase:
        """The demo: made when first used."""
        from app.showcase import Showcase

        return Showcase(self)

    def _connect(self) -> None:
        top, actions = self.top_bar, self.actions_of_sources
        top.back.connect(lambda: self.run_command("focus.back"))
        top.forward.connect(lambda: self.run_command("focus.forward"))
        top.quick_open.connect(lambda: self.run_command("app.quick_open"))
        top.path.chosen.connect(self.focus.set)
        top.menu.aboutToShow.connect(self._fill_menus)
        self.panel.activated_row.connect(self._on_row)
        self.panel.menu_requested.connect(actions.show_menu)
        self.panel.rename_requested.connect(actions.rename_row)
        self.panel.remove_requested.connect(actions.remove_row)
        self.status_bar.zone_clicked.connect(lambda: self.run_command("view.zone"))
        from PySide6.QtGui import QGuiApplication

        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_scheme)

    def _restore(self) -> None:
        size = str(self.settings.get("window"))
        width, _, height = size.partition("x")
        fits = width.isdigit() and height.isdigit()
        self.resize(*((int(width), int(height)) if fits else _DEFAULT_SIZE))
        if size == "maximized":
            self.showMaximized()
        panel = max(140, min(int(self.settings.get("panel_width")), 600))
        self.splitter.setSizes([panel, 1200])
        self.panel.setVisible(bool(self.settings.get("panel_shown")))

    def reload_saved(self) -> None:
        """Reads saved sources, recents and views again."""
        from engine_bridge.errors import PlayheadError

        try:
            self.sources.load_saved()
            self._views = self.saved.views()
            self._recents = self.saved.recents()
        except PlayheadError as error:
            self.report(error)
        if "welcome" in vars(self):
            self._show_recents(self.welcome)
        self.router.show()

    def prepare_welcome(self, page: Welcome) -> None:
        from app.keys import native
        from app.samples import SAMPLES
        from widgets.shell.welcome import SampleRow

        page.chosen.connect(lambda way: self.run_command("app.demo" if way == "demo" else f"source.{way}"))
        page.recent_chosen.connect(lambda url: self.actions_of_sources.open(url))
        page.sample_chosen.connect(lambda id_: self.run_command(f"sample.{id_}"))
        page.set_samples([SampleRow(s.id, s.title, s.note, *map(native, s.keys[:1])) for s in SAMPLES])
        self._show_recents(page)

    def _show_recents(self, page: Welcome) -> None:
        from engine_bridge.format import ago
        from widgets.shell.welcome import RecentRow

        now = time.time_ns()
        page.set_recents([RecentRow(r.title, r.url, ago(r.opened_ns, now)) for r in self._recents])

    def views(self) -> list[SavedView]:
        return self._views

    def counts(self) -> dict[str, int]:
        return {"journal": self.desk.trail.count}

    def scope_changed(self) -> None:
        from app.keys import native

        scope = self.router.scope
        self.desk.scope_changed()
        self.shortcuts.update(self.commands, scope)
        own = [c for c in self.commands if c.scope == scope and scope and c.keys and len(c.keys[0]) <= 5][:4]
        words = [f"{native(c.keys[0])} {c.title.rstrip(' …').lower()}" for c in own]
        self.status_bar.keys.set_text("   ".join([*words, "? keys"]))
        source = self.router.source()
        self.center.set_production(self.top_bar.environment.text == "PRODUCTION")
        parts = [source.title if source else "", self.top_bar.environment.text if source else "", "Playhead"]
        self.setWindowTitle(" · ".join(part for part in parts if part))

    def run_command(self, command_id: str) -> None:
        """Runs a command as keys, menus and buttons do: its reason or error is shown, never raised."""
        from engine_bridge.errors import PlayheadError

        try:
            self.commands.run(command_id)
        except PlayheadError as error:
            self.notify(error.message)

    def notify(self, text: str) -> None:
        self.status_bar.notify(text)

    def report(self, error: PlayheadError) -> None:
        """Shows an error above the page until it is put away."""
        self.bars.show_error(error)

    def report_notice(self, text: str) -> None:
        """Shows something that is no error above the page, until it is put away."""
        self.bars.show_note(text)

    def set_page_status(self, text: str) -> None:
        self.router.set_status(self.focus.current.page, text)

    def sheet_closing(self) -> None:
        self.desk.close_sheet()

    def demo_progress(self) -> tuple[int, int | None, str] | None:
        return self.showcase.progress if "showcase" in vars(self) else None

    def cancel_demo(self) -> None:
        self.showcase.cancel()

    def ask_password(self, key: str) -> None:
        self.actions_of_sources.ask_password(key)

    def open(self, target: str, title: str | None = None) -> None:
        """Opens a URL, a path or ``@name`` and goes to its runs."""
        self.actions_of_sources.open(target, title)

    def deliver(self, callback: Callable[[], object]) -> None:
        """Runs a callback in the GUI thread, soon; never after the window was closed. Any thread."""
        self._delivered.emit(callback)

    def _on_delivered(self, callback: Callable[[], None]) -> None:
        if self._started:
            callback()

    def show_crash(self, report: str) -> None:
        """Shows a programmer error's report in the one crash dialog."""
        from widgets.shell.crash_dialog import CrashDialog

        if self._crash is None:
            self._crash = CrashDialog(report, self)
            self._crash.finished.connect(self._on_crash_closed)
            self._crash.open()
        else:
            self._crash.append(report)

    def _on_crash_closed(self) -> None:
        self._crash = None

    def _fill_menus(self) -> None:
        from app.commands import MENUS
        from app.keys import fill_menu

        self.top_bar.menu.clear()
        for name in MENUS:
            menu = self.top_bar.menu.addMenu(name)
            fill_menu(menu, self.commands, name, self.router.scope, self.run_command)
            menu.menuAction().setVisible(bool(menu.actions()))

    def _on_row(self, row: PanelRow) -> None:
        from engine_bridge.focus import Focus

        if row.kind == "source":
            self.actions_of_sources.go_to(row.value)
        elif row.kind == "view":
            self.actions_of_sources.show_view(row.value)
        elif row.kind == "page" and row.reason:
            self.notify(f"{row.title}: {row.reason}")
        elif row.kind == "page":
            self.focus.set(Focus(page=row.value, source=self.focus.current.source))

    def _on_setting(self, name: str, value: Any) -> None:
        from app import appearance

        if name == "theme":
            appearance.apply(value)
        elif name == "zone":
            self._show_zone()
            self.router.refresh()

    def _on_scheme(self) -> None:
        self._on_setting("theme", self.settings.get("theme"))

    def _show_zone(self) -> None:
        local = self.settings.get("zone") == "local"
        self.status_bar.zone.setText(
            f"{time.tzname[time.daylight and time.localtime().tm_isdst]}" if local else "UTC"
        )
        self.status_bar.zone.setToolTip("Times are shown in " + ("the machine's zone." if local else "UTC."))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            from app.keys import belongs_to_widget

            if belongs_to_widget(event, self.focusWidget()):
                event.accept()
                return True
        return super().event(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.actions_of_sources.open_files(
            [u.toLocalFile() for u in event.mimeData().urls() if u.isLocalFile()]
        )
        event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._started:
            super().closeEvent(event)
            return
        if self.desk.busy:
            event.ignore()
            self.desk.ask_to_close()
            return
        size = "maximized" if self.isMaximized() else f"{self.width()}x{self.height()}"
        self.settings.set("window", size)
        if self.panel.isVisible():
            self.settings.set("panel_width", self.splitter.sizes()[0])
        self._started = False
        self.desk.close()
        self.watch.stop()
        self.status_bar.stop()
        if "overlays" in vars(self):
            self.overlays.close()
        self.router.close()
        self.hide()
        if "showcase" in vars(self):
            self.showcase.close()
        self.sources.close_all()
        super().closeEvent(event)
