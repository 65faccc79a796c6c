"""The connect dialog's and the password prompt's owner: forms from the engines, tests off the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app import secrets
from app.opening import Target, open_session, password_url, target_of, title_of
from engine_bridge import bridge
from engine_bridge.bridge import SourceInfo
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.format import plain
from engine_bridge.session import Call, describe_error
from widgets.shell.ask import AskPassword
from widgets.shell.connect_dialog import ConnectDialog, Connection

if TYPE_CHECKING:
    from app.window import MainWindow


class Connecting:
    """One connect dialog from open to close. GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        self.dialog = ConnectDialog(window)
        self._window = window
        self._generation = 0
        self._call: Call | None = None
        self.dialog.tested.connect(self._test)
        self.dialog.cancelled.connect(self._cancel)
        self.dialog.connected.connect(self._connect)
        self.dialog.finished.connect(self._on_finished)

    def open(self) -> None:
        self.dialog.open()
        self._in_thread(_forms, self._on_forms)
        self._in_thread(secrets.keyring_available, self.dialog.set_keyring)

    def _in_thread(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        generation = self._generation

        def deliver(value: Any) -> None:
            if generation == self._generation:
                then(value)

        def run() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001  whatever it was is shown in the dialog
                value = describe_error(error)
            self._window.deliver(lambda: deliver(value))

        self._window.sources.in_thread("playhead-connect", run)

    def _on_forms(self, found: Any) -> None:
        if isinstance(found, PlayheadError):
            self.dialog.show_error(found)
            return
        self.dialog.set_forms(found)

    def _value(self) -> tuple[Connection, Target] | None:
        try:
            filled = self.dialog.value()
            if not filled.url:
                raise UsageError("Nothing to connect to.", "Type a URL or a path, or choose another kind.")
            return filled, target_of(filled.url, self._window.saved, filled.secret or None)
        except PlayheadError as error:
            self.dialog.show_error(error)
            return None

    def _test(self) -> None:
        value = self._value()
        if value is None:
            return
        target = value[1]
        self._generation += 1
        self.dialog.show_busy(f"Opening {plain(target.url, 120)} …")

        def work() -> SourceInfo:
            opened = open_session(target, lambda *_: None, self._hold)
            opened.session.close()
            return opened.info

        self._in_thread(work, self._on_tested)

    def _hold(self, call: Call) -> None:
        self._call = call

    def _on_tested(self, found: Any) -> None:
        self._call = None
        if isinstance(found, PlayheadError):
            self.dialog.show_error(found)
        else:
            version = f" ({plain(found.version, 60)})" if found.version else ""
            notices = "".join(f"\n{notice}" for notice in found.notices)
            self.dialog.show_good(
                f"{plain(found.engine_title)}{version} answers: {plain(found.location)}{notices}"
            )

    def _cancel(self) -> None:
        self._generation += 1
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self.dialog.show_idle("Cancelled.")

    def _on_finished(self) -> None:
        self._generation += 1
        if self._call is not None:
            self._call.cancel()

    def _connect(self) -> None:
        value = self._value()
        if value is None:
            return
        filled, target = value
        window = self._window
        if filled.name:
            try:
                window.saved.save_source(filled.name, target.url, filled.environment)
            except PlayheadError as error:
                self.dialog.show_error(error)
                return
        secret = target.secret.reveal() if target.secret else None
        if secret and filled.remember:
            window.sources.in_thread("playhead-keyring", secrets.remember, password_url(target.url), secret)
        opened = f"@{filled.name}" if filled.name else target.url
        key = window.actions_of_sources.open(opened, filled.name or title_of(target.url), secret)
        if key is not None:
            window.sources.set_environment(key, filled.environment)
            self.dialog.accept()


def _forms() -> list[bridge.ConnectForm]:
    return [form for engine in bridge.engines() for form in engine.forms]


def ask_password(window: MainWindow, key: str) -> None:
    """Asks for a source's password, then opens it with that. Looking for a keyring happens off the GUI thread."""
    source = window.sources.get(key)
    if source is None:
        return

    def ask(can_remember: bool) -> None:
        dialog = AskPassword(
            window, f"{plain(source.title)} asks for a password.\n{plain(source.url)}", can_remember, answer
        )
        window.password_dialog = dialog
        dialog.open()

    def answer(password: str) -> None:
        dialog = window.password_dialog
        if dialog is not None and dialog.remember:
            window.sources.in_thread("playhead-keyring", secrets.remember, password_url(source.url), password)
        window.sources.retry(key, password)

    def look() -> None:
        found = secrets.keyring_available()
        window.deliver(lambda: ask(found))

    window.sources.in_thread("playhead-keyring", look)
