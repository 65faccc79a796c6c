"""The payload viewer: one payload as tree, text or stored bytes, with what a debugger must say about it. GUI thread."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine_bridge import format as fmt
from engine_bridge.bridge import Decoding
from engine_bridge.errors import PlayheadError
from engine_bridge.model import PayloadRef
from widgets.payload.background import Background
from widgets.payload.bar import PayloadBar
from widgets.payload.decoding import Shown, badge, hidden_words, prepare, quick, raw_source
from widgets.payload.sources import TextSource
from widgets.payload.text_view import TextView
from widgets.payload.tree_view import TreeView
from widgets.run.labels import Link, Text
from widgets.shell.label import label

SLICE = 256 * 1024  # bytes asked for first
WHOLE = 16 * 1024 * 1024  # bytes that are loaded without being asked for
_INLINE = 4 * 1024  # bytes that are decoded on the GUI thread
_QUICK = 1024 * 1024  # bytes of JSON that are formatted on the GUI thread
_LARGE = 64 * 1024  # bytes from which on the text shows first
TREE, TEXT, RAW = range(3)
_WHOLE_LINK = 1_000  # px: a link is never cut short
_Shown = TypeVar("_Shown", Shown, Shown | None)


class PayloadView(QWidget):
    """Asks for bytes with ``load_requested`` (PayloadRef, offset, length; -1: to the end); ``set_data`` answers.

    A payload that is encoded shows its stored bytes until ``set_decoding`` answers ``decode_requested`` (PayloadRef);
    Raw always shows them. ``codec_requested``: the user wants to name a codec server. What looks like a secret is
    masked until ``set_reveal``; ``reveal_changed`` says so.
    """

    load_requested = Signal(object)
    decode_requested = Signal(object)
    codec_requested = Signal()
    reveal_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._ref: PayloadRef | None = None
        self._data = b""
        self._complete = False
        self._decoding: Decoding | None = None
        self._shown: Shown | None = None
        self._reveal = False
        self._wanted_page: int | None = None
        self._reader: Callable[[str, int, int], bytes] | None = None
        self._worker = Background(self)
        self.tree = TreeView()
        self.text = TextView()
        self.raw = TextView()
        self._bar = PayloadBar()
        self.finder = self._bar.finder
        self._badge = Text(tone="muted", size=11)
        self._never = Text(tone="retrying", size=11)
        self._message = Text(tone="muted")
        self._more = Link("Load all")
        self._more.activated.connect(self.load_all)
        self._hidden = label(size=12, wrap=True)
        self.again = Link("Try again", least=_WHOLE_LINK)
        self.again.activated.connect(self._decode_again)
        self.codec = Link("Decode with a codec server …", least=_WHOLE_LINK)
        self.codec.activated.connect(self.codec_requested)
        self._pages = QStackedWidget()
        for page in (self.tree, self.text, self.raw):
            self._pages.addWidget(page)
        self._buttons = self._bar.pages
        self._buttons.idClicked.connect(self._on_page_clicked)
        self._bar.reveal.toggled.connect(self.set_reveal)
        self._bar.menu.clicked.connect(self._open_menu)
        self.finder.text_changed.connect(self._on_find)
        self.finder.stepped.connect(self._on_step)
        self._build()
        self.set_ref(None)

    def _build(self) -> None:
        facts = QHBoxLayout()
        facts.setContentsMargins(10, 0, 10, 4)
        facts.setSpacing(10)
        for widget in (self._badge, self._never, self._message, self._more):
            facts.addWidget(widget)
        facts.addStretch(1)
        hidden = QHBoxLayout()
        hidden.setContentsMargins(10, 0, 10, 6)
        hidden.setSpacing(10)
        hidden.addWidget(self._hidden, 1)
        for link in (self.again, self.codec):
            hidden.addWidget(link, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addLayout(facts)
        layout.addLayout(hidden)
        layout.addWidget(self._pages, 1)
        layout.addStretch(0)

    # -- content ------------------------------------------------------------------------------------------

    @property
    def ref(self) -> PayloadRef | None:
        return self._ref

    @property
    def message(self) -> str:
        """The words beside the badge: loading, empty, or what went wrong."""
        return self._message.text

    @property
    def hidden_message(self) -> str:
        """Why an encoded payload is shown as it is stored, "" when it is not."""
        return self._hidden.text() if self._hidden.isVisibleTo(self) else ""

    @property
    def badge(self) -> str:
        return " ".join(part for part in (self._badge.text, self._never.text) if part)

    @property
    def busy(self) -> bool:
        """Whether something is being decoded."""
        return self._worker.busy

    def set_ref(self, ref: PayloadRef | None, empty: str = "Nothing is recorded here.") -> None:
        """Names the payload to show and asks for its first slice; None: says ``empty``."""
        if ref is not None and self._ref is not None and _same(ref, self._ref):
            return
        self._ref, self._data, self._complete, self._shown = ref, b"", False, None
        self._decoding = None
        self._wanted_page = None
        self._worker.cancel()
        self._clear(empty if ref is None else "Loading …")
        if ref is None:
            return
        if self._reader is None:
            self.load_requested.emit((ref, 0, SLICE))
            if ref.encoded:
                self.decode_requested.emit(ref)
        else:
            self._read_now(ref, self._reader)

    def set_reader(self, reader: Callable[[str, int, int], bytes] | None) -> None:
        """Reads (key, offset, length) at once instead of asking, and decodes here: where nobody waits."""
        self._reader = reader

    def _read_now(self, ref: PayloadRef, reader: Callable[[str, int, int], bytes]) -> None:
        try:
            data = reader(ref.key, 0, SLICE)
        except PlayheadError as error:
            self.set_error(ref, error)
            return
        self._data, self._complete = data, len(data) < SLICE
        self._show(prepare(data, ref.encoding, reveal=self._reveal))

    def set_data(self, ref: PayloadRef, offset: int, data: bytes, *, complete: bool) -> None:
        """The payload's first bytes (``offset`` 0), or all of them when ``complete``; others are dropped."""
        if ref != self._ref or offset:
            return
        self._data, self._complete = data, complete
        self._decode()
        if not complete and (ref.size or 0) <= WHOLE:
            self.load_all()

    def set_decoding(self, ref: PayloadRef, decoding: Decoding) -> None:
        """What an encoded payload decodes to, or why it does not."""
        if self._ref is not None and _same(ref, self._ref):
            self._decoding = decoding
            if self._data:
                self._decode()

    def _decode_again(self) -> None:
        if self._ref is not None:
            self._decoding = None
            self._decode()
            self.decode_requested.emit(self._ref)

    def set_error(self, ref: PayloadRef, error: PlayheadError) -> None:
        """The bytes cannot be read."""
        if ref == self._ref:
            self._message.set_text(f"{error.message} {error.hint}".strip(), error.detail)
            self._message.set_tone("failed")

    def load_all(self) -> None:
        """Asks for the whole payload when only its first slice is here."""
        if self._ref is not None and not self._complete:
            self._more.hide()
            self.load_requested.emit((self._ref, 0, -1))

    def _clear(self, message: str) -> None:
        self.tree.tree_model.set_value(None, present=False)
        self._badge.set_text("")
        self._never.set_text("")
        for widget in (self._more, self._hidden, self.again, self.codec):
            widget.hide()
        self._message.set_tone("muted")
        self._message.set_text(message)
        for view in (self.text, self.raw):
            view.set_source(TextSource(b""))
        self._enable(False)

    def _enable(self, on: bool) -> None:
        self._pages.setVisible(on)
        self._bar.set_shown(on)

    def _decode(self) -> None:
        data, reveal = self._content, self._reveal
        if len(data) <= _INLINE:
            self._show(self._prepare(data, self._encoding, reveal))
            return
        self._message.set_text("Decoding …")
        if len(data) <= _LARGE:
            self._decode_whole(None)
        elif len(data) <= _QUICK:
            self._decode_whole(self._with_stored(quick(data, reveal=reveal), data))
        else:
            work = functools.partial(quick, data, reveal=reveal)
            self._worker.run(lambda: self._with_stored(work(), data), self._decode_whole, self._failed)

    @property
    def _content(self) -> bytes:
        """What is shown as tree and text: what was decoded, else what is stored."""
        decoded = self._decoding.data if self._decoding is not None else None
        return self._data if decoded is None else decoded

    @property
    def _encoding(self) -> str | None:
        if self._decoding is not None and self._decoding.data is not None:
            return self._decoding.encoding
        return self._ref.encoding if self._ref is not None else None

    def _prepare(self, data: bytes, encoding: str | None, reveal: bool) -> Shown:
        """Any thread."""
        return self._with_stored(prepare(data, encoding, reveal=reveal), data)

    def _with_stored(self, shown: _Shown, data: bytes) -> _Shown:
        """What was decoded beside the stored bytes. Any thread."""
        stored = self._data
        if shown is not None and data is not stored:
            shown.raw = raw_source(stored, reveal=self._reveal)
        return shown

    def _decode_whole(self, text: Shown | None) -> None:
        """Shows the quick text while the tree is made."""
        if text is not None:
            self._show(text)
        data, encoding, reveal = self._content, self._encoding, self._reveal
        self._worker.run(lambda: self._prepare(data, encoding, reveal), self._show, self._failed)

    def _failed(self, error: Exception) -> None:
        self._message.set_tone("failed")
        self._message.set_text(
            f"This payload cannot be decoded ({type(error).__name__}); Raw shows its bytes."
        )

    def _show(self, shown: Shown) -> None:
        self._shown = shown
        self._enable(True)
        self.tree.tree_model.set_value(shown.tree, present=shown.has_tree)
        self.text.set_source(shown.text)
        self.raw.set_source(shown.raw)
        self._buttons.button(TREE).setEnabled(shown.has_tree)
        self._buttons.button(TEXT).setEnabled(bool(shown.text.data))
        self._tell(shown)
        self.show_page(self._best_page(shown))
        if self.finder.needle:
            self._on_find(self.finder.needle)

    def _best_page(self, shown: Shown) -> int:
        wanted = self._wanted_page
        if wanted is not None and self._buttons.button(wanted).isEnabled():
            return wanted
        if shown.has_tree and len(self._content) <= _LARGE:
            return TREE
        return TEXT if shown.text.data else RAW

    def _tell(self, shown: Shown) -> None:
        self._badge.set_text(badge(shown.format, self._ref, len(self._data), self._decoding))
        names = ", ".join(shown.globals)
        if shown.format == "pickle":
            self._never.set_text(f"names {names} · never executed" if names else "never executed", names)
        else:
            self._never.set_text("")
        self._message.set_tone("failed" if shown.error else "muted")
        self._message.set_text(shown.error or self._limits(shown))
        self._more.setVisible(not self._complete and not shown.error)
        self._tell_hidden()

    def _tell_hidden(self) -> None:
        """Why an encoded payload is shown as it is stored, and what can be done about it."""
        words, decoding = hidden_words(self._ref, self._decoding), self._decoding
        wrong = decoding is not None and bool(decoding.error)
        missing = decoding is not None and decoding.needs_codec
        self._hidden.setText(fmt.safe_lines(words))
        self._hidden.setVisible(bool(words))
        self.again.setVisible(wrong and not missing)
        self.codec.setVisible(wrong)

    def _limits(self, shown: Shown) -> str:
        if not self._complete:
            return f"first {fmt.size(len(self._data))} are shown"
        if shown.truncated:
            return "large: only its first part is decoded"
        if shown.format == "protobuf":
            return "fields by number: their schema is not recorded"
        return "secrets are masked" if shown.masked else ""

    # -- pages, find, reveal ------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """TREE, TEXT or RAW."""
        return self._pages.currentIndex()

    def show_page(self, page: int) -> None:
        """Shows TREE, TEXT or RAW."""
        self._pages.setCurrentIndex(page)
        self._buttons.button(page).setChecked(True)

    def _on_page_clicked(self, page: int) -> None:
        self._wanted_page = page
        self.show_page(page)

    @property
    def _text_page(self) -> TextView:
        return self.raw if self.page == RAW else self.text

    def _on_find(self, needle: str) -> None:
        if needle and self.page == TREE:
            self.show_page(TEXT if self._buttons.button(TEXT).isEnabled() else RAW)
        self.text.set_needle(needle)
        self.raw.set_needle(needle)

    def _on_step(self, direction: int) -> None:
        self._text_page.find_next(direction)

    @property
    def reveal(self) -> bool:
        return self._reveal

    def set_reveal(self, on: bool) -> None:
        """Shows or masks what looks like a secret."""
        if on == self._reveal:
            return
        self._reveal = on
        self._bar.reveal.setChecked(on)
        self.reveal_changed.emit(on)
        if self._data:
            self._decode()

    # -- copy and save --------------------------------------------------------------------------------------

    def _open_menu(self) -> None:
        menu = self.menu()
        menu.exec(self._bar.menu.mapToGlobal(self._bar.menu.rect().bottomLeft()))
        menu.deleteLater()

    def menu(self) -> QMenu:
        """What can be done with the whole payload."""
        menu = QMenu(self)
        actions: tuple[tuple[str, Callable[[], None]], ...] = (
            ("Copy all as shown", self.copy_all),
            ("Save stored bytes as …", self._ask_and_save),
        )
        for title, act in actions:
            menu.addAction(title).triggered.connect(lambda _=False, act=act: act())
        return menu

    def copy_all(self) -> None:
        """Copies the text, masked unless revealed."""
        if self._shown is not None:
            source = self._text_page
            source.select_all()
            QGuiApplication.clipboard().setText(source.selected_text())

    def _ask_and_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save payload", "payload.bin")
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Writes the bytes that are loaded, as stored (never masked)."""
        try:
            path.write_bytes(self._data)
            self._message.set_text(f"Saved {fmt.size(len(self._data))} to {path.name}")
        except OSError as error:
            self._message.set_tone("failed")
            self._message.set_text(f"Cannot save: {error.strerror or error}")


def _same(one: PayloadRef, other: PayloadRef) -> bool:
    """Whether two references name the same payload: the head of an encoded one comes when it was decoded."""
    return (one.key, one.encoding, one.size) == (other.key, other.encoding, other.size)
