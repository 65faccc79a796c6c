"""A Context for tests of page controllers: real focus, sources, commands and settings; notes what was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.commands import CommandRegistry
from app.context import Context, PageController, Source
from app.settings import Settings
from app.sources import Sources
from engine_bridge.bridge import Bridge
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import FocusModel
from engine_bridge.session import Session
from tests.fakes import FakeBridge


@dataclass
class Told:
    """What the application told the user."""

    notices: list[str] = field(default_factory=list)
    errors: list[PlayheadError] = field(default_factory=list)
    status: list[str] = field(default_factory=list)


def make_context() -> tuple[Context, Told]:
    """A context without any source."""
    told = Told()
    context = Context(
        focus=FocusModel(),
        sources=Sources(),
        commands=CommandRegistry(),
        settings=Settings(),
        notify=told.notices.append,
        report=told.errors.append,
        status=told.status.append,
    )
    return context, told


def add_source(context: Context, make: Callable[[], Bridge] = FakeBridge, key: str = "fake") -> Source:
    """An open source over a bridge of its own, listed under ``key``."""
    session = Session(make)
    info = session.open().result(20)
    fields = session.call("fields").result(20)
    source = Source(key, info.title, "fake://", session=session, info=info, fields=fields, state="live")
    context.sources._sources[key] = source
    return source


def show(context: Context, page: PageController, qtbot: object, size: tuple[int, int] = (1300, 800)) -> None:
    """Does what the window does with a page: commands, status, focus; and shows its widget."""
    context.commands.add(*page.commands())
    page.status_changed.connect(context.status)
    context.focus.subscribe(page.focus_changed)
    qtbot.addWidget(page.widget)
    page.widget.resize(*size)
    page.widget.show()
