"""The Queries tab: what a run's own code answers. Nothing is asked but by the user, since it runs code. GUI thread."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.model import PayloadRef
from engine_bridge.queries import ARGUMENTS, Handlers, Reply, arguments
from widgets.payload.viewer import PayloadView
from widgets.run.labels import Glyph, Link
from widgets.shell.label import label, plain_tooltip
from widgets.theme import font

FIRST = "A query runs the workflow's code in a live worker, so nothing is asked by itself. It writes nothing."


class QueriesPane(QWidget):
    """Shows what can be asked and the last answer. ``asked`` carries (name, arguments as text)."""

    asked = Signal(object)
    listing_requested = Signal()
    stack_requested = Signal()
    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._docs: dict[str, str] = {}
        self._answers = 0
        self._reply: Reply | None = None
        self.answer: PayloadView | None = None
        self.stack = self._button(
            "Stack trace", "Asks where the run's code stands", self.stack_requested.emit
        )
        self.listing = self._button(
            "List queries", "Asks which queries there are", self.listing_requested.emit
        )
        self.names = QComboBox()
        self.names.setEditable(True)
        self.names.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.names.setAccessibleName("Query")
        self.names.setMinimumContentsLength(16)
        self.args = QLineEdit()
        self.args.setAccessibleName("Arguments as JSON")
        self.args.setPlaceholderText('arguments as JSON: ["ann", 3]')
        self.args.setToolTip(plain_tooltip(ARGUMENTS))
        self.args.setFont(font(12, code=True))
        self.send = self._button("Ask", "Asks the query with these arguments", self.ask)
        self.doc = label(color="muted", wrap=True)
        self.others = label(color="muted", size=11, wrap=True)
        self.glyph, self.words = Glyph(size=16), label(wrap=True)
        self.stop = Link("Stop waiting")
        self._lay_out()
        self._connect()
        self.forget()

    @staticmethod
    def _button(text: str, doc: str, run: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(plain_tooltip(doc))
        button.setAutoDefault(False)
        button.clicked.connect(lambda: run())
        return button

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.setContentsMargins(14, 12, 14, 0)
        rows.setSpacing(8)
        for widgets in ((self.stack, self.listing), (self.names, self.args, self.send)):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget, 1 if widget is self.args else 0)
            if self.args not in widgets:
                row.addStretch(1)
            rows.addLayout(row)
        rows.addWidget(self.doc)
        rows.addWidget(self.others)
        state = QHBoxLayout()
        state.addWidget(self.glyph, 0, Qt.AlignmentFlag.AlignTop)
        state.addWidget(self.words, 1)
        state.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignTop)
        rows.addLayout(state)
        self._place = QVBoxLayout()
        rows.addLayout(self._place, 1)
        rows.addStretch(0)
        self.setFocusProxy(self.stack)
        self.setAccessibleName("Queries")

    def _connect(self) -> None:
        self.args.returnPressed.connect(self.ask)
        self.names.currentTextChanged.connect(lambda _: self._show_doc())
        self.stop.activated.connect(self.stop_requested)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.answer is None:  # most runs are never asked anything
            self.answer = PayloadView()
            self.answer.load_requested.connect(self._load)
            self._place.addWidget(self.answer, 1)
            self._show_answer()

    # -- what is asked --------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.names.currentText().strip()

    def ask(self) -> None:
        """Asks what is chosen and typed; says what is wrong with it instead, where something is."""
        if not self.name:
            self._say("Name a query, or list those that there are.", "warning", "retrying")
            return
        try:
            arguments(self.args.text())
        except UsageError as error:
            self.show_error(error)
            return
        self.asked.emit((self.name, self.args.text()))

    # -- what is shown --------------------------------------------------------------------------------------

    def set_stack(self, offered: bool) -> None:
        """Whether this source's runs can say where their code stands."""
        self.stack.setVisible(offered)
        self.setFocusProxy(self.stack if offered else self.listing)

    def forget(self) -> None:
        """Another run comes: nothing is known of it."""
        self._docs = {}
        self.names.clear()
        self.args.clear()
        self.others.setText("")
        self.others.hide()
        self._reply = None
        self._show_doc()
        self._show_answer()
        self._say(FIRST, "info", "muted")

    def show_waiting(self, what: str) -> None:
        """A question is under way."""
        self._say(f"Asking {what} … a worker must answer.", "clock", "waiting", waits=True)

    def show_stopped(self) -> None:
        """Nobody waits for the answer any more."""
        self._say(
            "Stopped waiting. The worker may still have run the query; it changes nothing.", "info", "muted"
        )

    def show_error(self, error: PlayheadError) -> None:
        self._say(f"{error.message} {error.hint}".strip(), "warning", "failed")

    def show_handlers(self, found: Handlers) -> None:
        """What the code takes. What was typed stays."""
        typed = self.name
        self._docs = {query.name: query.doc for query in found.queries}
        self.names.clear()
        self.names.addItems([fmt.plain(query.name, 200) for query in found.queries])
        if typed:
            self.names.setCurrentText(typed)
        taken = [f"{kind}s {', '.join(names)}" for kind, names in found.others.items()]
        lines = [found.note] if found.note else []
        lines += [f"The code also takes {'; '.join(taken)}."] if taken else []
        self.others.setText(fmt.safe_lines("\n".join(lines)))
        self.others.setVisible(bool(lines))
        self._say(_count(len(found.queries)))
        self._show_doc()

    def show_reply(self, reply: Reply, words: str) -> None:
        """An answer, and when it came."""
        self._reply = reply
        self._answers += 1
        self._say(f"{words}. {reply.note}".strip(" ."), "completed", "completed")
        self._show_answer()

    def _say(self, words: str, glyph: str = "info", tone: str = "muted", *, waits: bool = False) -> None:
        self.words.setText(fmt.safe_lines(words))
        self.glyph.set_glyph(glyph, tone)
        self.stop.setVisible(waits)

    def _show_doc(self) -> None:
        doc = self._docs.get(self.name, "")
        self.doc.setText(fmt.safe_lines(doc))
        self.doc.setVisible(bool(doc))

    def _show_answer(self) -> None:
        if self.answer is None:
            return
        reply = self._reply
        self.answer.setVisible(reply is not None)
        if reply is None:
            self.answer.set_ref(None, "")
        else:
            key = f"answer {self._answers}"
            self.answer.set_ref(
                PayloadRef(key=key, label=reply.name, encoding=reply.encoding, size=len(reply.data))
            )

    def _load(self, request: tuple[PayloadRef, int, int]) -> None:
        if self.answer is not None and self._reply is not None:
            self.answer.set_data(request[0], 0, self._reply.data, complete=True)


def _count(count: int) -> str:
    if not count:
        return "The code declares no query."
    return f"The code declares {'one query' if count == 1 else f'{count:,} queries'}: choose one and ask."
