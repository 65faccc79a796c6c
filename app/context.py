"""What every page's controller gets: the focus, the open sources, the commands, the way to tell the user."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from app.commands import Command, CommandRegistry
from app.jobs import Jobs
from engine_bridge.bridge import Capability, Field, SourceInfo
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus, FocusModel

if TYPE_CHECKING:
    from app.actions_specs import Offered
    from app.settings import Settings
    from app.sources import Sources
    from engine_bridge.actions.model import PlanItem, Target
    from engine_bridge.query.ast import Node
    from engine_bridge.session import Session
    from widgets.journal.entries import Entry


@dataclass(slots=True)
class Source:
    """One source of the sources panel. ``session`` and ``info`` are None until it is open.

    ``key`` is stable in this process; ``url`` holds no secret; ``state`` is "closed", "opening", "live", "stale" or
    "failed"; ``error`` the last failure to open or reach it; ``counts`` what the panel shows beside its pages
    ("runs", "failures"); ``seen_ns`` when it last answered, by this machine's clock.
    """

    key: str
    title: str
    url: str
    session: Session | None = None
    info: SourceInfo | None = None
    fields: list[Field] = field(default_factory=list)
    state: str = "closed"
    error: PlayheadError | None = None
    saved: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    seen_ns: int = 0

    def can(self, capability: Capability) -> str:
        """ "" when the source has a capability now, else why not."""
        if self.info is None:
            return "the source is not open"
        if capability in self.info.capabilities:
            return ""
        return self.info.missing.get(capability.value, f"this source has no {capability.value}")


@dataclass(slots=True)
class Context:
    """The composition root's gifts. ``notify`` shows a short message; ``report`` an error with hint and details."""

    focus: FocusModel
    sources: Sources
    commands: CommandRegistry
    settings: Settings
    notify: Callable[[str], None]
    report: Callable[[PlayheadError], None]
    status: Callable[[str], None]


class PageController(QObject):
    """Feeds one page of the window from sessions, and turns its signals into commands and focus changes.

    The window shows ``widget`` while ``focus.page`` is ``name``, and calls ``focus_changed`` on every change of
    focus, shown or not. ``status_changed`` carries the page's text for the status bar; ``busy`` comes from ``jobs``.
    ``targets_changed`` says that an operator action would aim at something else now, or that its state moved;
    ``action_requested`` carries the id of the action that a button or menu of the page asks for;
    ``staging_requested`` staged actions that need no form; ``bulk_requested`` (title, parts, filter), each part a
    staged action and the tree of the filter that lists its targets. ``sheet_home`` is the splitter at whose
    right the page wants the action sheet, None for the window's own.
    """

    name = ""
    title = ""
    status_changed = Signal(str)
    targets_changed = Signal()
    action_requested = Signal(object)
    staging_requested = Signal(object)
    bulk_requested = Signal(object)
    sheet_home: QSplitter | None = None

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.jobs = Jobs(self)

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        """Makes the page piece by piece, so that no frame is late: None after a piece, and the page at last."""
        yield cls(context)

    @property
    @abstractmethod
    def widget(self) -> QWidget:
        """The page."""

    @abstractmethod
    def focus_changed(self, new: Focus, old: Focus) -> None:
        """Shows what the focus names; cancels what belonged to an old one."""

    def _on_source(self, key: str) -> None:
        """For ``sources.changed``: the focused source opened, failed or closed while the page is shown."""
        focus = self.context.focus.current
        if key == focus.source and focus.page == self.name:
            self.focus_changed(focus, focus)

    def commands(self) -> list[Command]:
        """The page's commands, registered once at start."""
        return []

    def refresh(self) -> None:
        """Reads again what is shown (F5)."""

    def targets(self) -> tuple[Target, ...]:
        """What an operator action would aim at now: the open run, the selected rows."""
        return ()

    def targets_words(self) -> str:
        """What the targets have in common, in words; "" where their number says enough."""
        return ""

    def matching(self) -> tuple[str, Node | None] | None:
        """The text and tree of a list's filter, for actions on all that match; None where no list is shown."""
        return None

    def show_trail(self, entries: tuple[Entry, ...]) -> None:
        """What operators did to the run on the page, newest first."""

    def show_actions(self, offered: Offered) -> None:
        """What can be done to the targets, and what is staged on them."""

    def show_plan(self, items: tuple[PlanItem, ...]) -> None:
        """What the plan under review will do; nothing when none is."""

    def close(self) -> None:
        """Stops timers, tails and calls; the application is closing."""
        self.jobs.cancel_all()

    def source(self) -> Source | None:
        """The focused source, None when there is none."""
        key = self.context.focus.current.source
        return None if key is None else self.context.sources.get(key)
