"""From the focus to what is on the screen: page, placeholder, path, panel, badges, status bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from app.context import Context, PageController, Source
from app.pages import Pages, missing, spec_of
from app.panel_rows import crumbs, rows
from engine_bridge.errors import AuthError, PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import clock, count, plain
from widgets.shell.bars import details

if TYPE_CHECKING:
    from app.frame import Frame

Busy = tuple[str, str | None, int, int | None, Any]


#: What a call without words of its own is doing.
_WORDS: Final = {
    "runs …": "Reading runs",
    "run …": "Reading the run",
    "anchors …": "Measuring the list",
    "count …": "Counting runs",
    "population …": "Counting entities by status",
    "facets …": "Counting by status",
    "changes …": "Looking for changes",
    "history …": "Reading the history",
    "payload …": "Reading a payload",
    "failures …": "Reading failures",
    "search …": "Searching",
    "related …": "Reading related runs",
    "resources …": "Reading resources",
    "lint …": "Checking configs",
    "simulate …": "Simulating",
    "impact …": "Comparing configs",
    "replay_moves …": "Replaying recorded moves",
}


class Router:
    """Keeps the frame true to the one focus and the sources. GUI thread."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self.context = context
        self._frame = frame
        self.pages = Pages(context, frame.stack, self._on_built)
        self._status: dict[str, str] = {}
        self._shown = ""
        self.built: list[Callable[[PageController], None]] = []
        self._busy: dict[tuple[str, str], Busy] = {}
        self._states: dict[str, str] = {}
        self._forget = context.focus.subscribe(self._on_focus)
        context.sources.changed.connect(self._on_source)

    @property
    def scope(self) -> str:
        """The page whose keys are alive: the focus' page while it is on the screen."""
        return self._shown

    def source(self) -> Source | None:
        key = self.context.focus.current.source
        return None if key is None else self.context.sources.get(key)

    def close(self) -> None:
        self._forget()
        self.pages.close()

    def _on_built(self, page: PageController) -> None:
        page.status_changed.connect(lambda text: self.set_status(page.name, text))
        page.jobs.busy.connect(lambda busy: self._on_busy(page.name, busy))
        for hear in self.built:
            hear(page)

    def set_status(self, page: str, text: str) -> None:
        """A page's text for the status bar; shown while that page is."""
        self._status[page] = text
        self._show_status()

    def _on_busy(self, page: str, busy: Busy) -> None:
        if busy[1] is None:
            self._busy.pop((page, busy[0]), None)
        else:
            self._busy[page, busy[0]] = busy
        self._show_busy()

    def _show_busy(self) -> None:
        page = self.context.focus.current.page
        mine = [busy for (owner, _), busy in self._busy.items() if owner == page]
        chip = self._frame.status_bar.chip
        if mine:
            _, text, done, total, cancel = mine[-1]
            chip.show_progress(_WORDS.get(text or "", text or ""), done, total, cancel)
        else:
            chip.hide()

    def _on_focus(self, new: Focus, old: Focus) -> None:
        self.pages.focus_changed(new, old)
        self.show()
        if (new.page, new.source) != (old.page, old.source):
            self._frame.focus_page()

    def _on_source(self, key: str) -> None:
        source = self.context.sources.get(key)
        before = self._states.get(key, "")
        self._states[key] = source.state if source else ""
        focus = self.context.focus.current
        if source is None and key == focus.source:
            self.context.focus.set(Focus())
            return
        if source is not None and key == focus.source and (before, source.state) == ("stale", "live"):
            self.refresh()
        self.show()

    def refresh(self) -> None:
        """Reads again what is on the screen."""
        if self.scope:
            self.pages.get(self.scope).refresh()

    def show(self) -> None:
        """Brings the whole frame up to date."""
        focus, source = self.context.focus.current, self.source()
        before = self._frame.stack.currentWidget()
        self._show_page(focus, source)
        if self._frame.stack.currentWidget() is not before and not self._frame.panel.hasFocus():
            self._frame.focus_page()
        frame = self._frame
        frame.panel.set_rows(rows(self.context.sources.all(), frame.views(), focus, frame.counts()))
        frame.top_bar.path.set_crumbs(crumbs(focus, source))
        frame.top_bar.back_button.setEnabled(self.context.focus.can_go_back)
        frame.top_bar.forward_button.setEnabled(self.context.focus.can_go_forward)
        frame.top_bar.set_environment(source.info.environment if source and source.info else "")
        frame.bars.set_notices(focus.source or "", _notices(source))
        self._show_status()
        self._show_busy()
        frame.scope_changed()

    def _show_page(self, focus: Focus, source: Source | None) -> None:
        stack = self._frame.stack
        spec, self._shown = spec_of(focus.page), ""
        if spec is not None and spec.capability is None and self.pages.ready:
            stack.setCurrentWidget(self.pages.get(spec.name).widget)
            self._shown = spec.name
        elif spec is None or source is None:
            self._show_welcome()
        elif source.session is None or not self.pages.ready:
            self._show_closed(source)
        elif reason := missing(spec, source):
            self._placeholder(
                "info", "muted", f"{source.title} has no {spec.name} page", reason.capitalize() + "."
            )
        else:
            stack.setCurrentWidget(self.pages.get(spec.name).widget)
            self._shown = spec.name

    def _show_welcome(self) -> None:
        progress = self._frame.demo_progress()
        if progress is None:
            self._frame.stack.setCurrentWidget(self._frame.welcome)
            return
        done, total, text = progress
        share = f"\n{count(done)} of {count(total)}" if total else ""
        text = f"{plain(text)}{share}\nA real engine executes a few hundred runs; the first time takes half a minute."
        cancel = ("Cancel", self._frame.cancel_demo)
        self._placeholder("hourglass", "waiting", "Preparing the demo …", text, cancel, busy=True)

    def _placeholder(
        self, glyph: str, state: str, title: str, text: str, *buttons: Any, busy: bool = False
    ) -> None:
        self._frame.placeholder.show_state(glyph, state, title, text, buttons, busy=busy)
        self._frame.stack.setCurrentWidget(self._frame.placeholder)

    def _show_closed(self, source: Source) -> None:
        sources, key, title = self.context.sources, source.key, plain(source.title, 48)
        if source.state == "opening" or source.session is not None:
            cancel = ("Cancel", lambda: sources.close(key))
            done, total, text = sources.progress(key)
            far = (
                f"\n{plain(text)} {count(done)} of {count(total)}"
                if total
                else f"\n{plain(text)}"
                if text
                else ""
            )
            text = f"{plain(source.url)}{far}"
            self._placeholder("hourglass", "waiting", f"Opening {title} …", text, cancel, busy=True)
        elif source.state == "failed" and source.error is not None:
            self._show_failed(source, source.error)
        else:
            again = ("Open", lambda: sources.retry(key))
            self._placeholder("database", "muted", f"{title} is closed", plain(source.url), again)

    def _show_failed(self, source: Source, error: PlayheadError) -> None:
        key, frame = source.key, self._frame
        text = "\n".join(filter(None, (error.message, error.hint)))
        self._placeholder(
            "failed",
            "failed",
            f"{plain(source.title, 48)} could not be opened",
            text,
            ("Retry", lambda: self.context.sources.retry(key)),
            *([("Password …", lambda: frame.ask_password(key))] if isinstance(error, AuthError) else []),
            ("Copy details", lambda: frame.copy(f"{plain(source.url)}\n{details(error)}")),
            ("Remove", lambda: self.context.sources.remove(key)),
        )

    def _show_status(self) -> None:
        bar, source = self._frame.status_bar, self.source()
        text = ""
        if source is not None and source.state == "stale":
            text = f"no answer since {clock(source.seen_ns, self.context.settings.zone(), digits=0)}"
        bar.set_state(source.state if source else "", text)
        bar.page.set_text(self._status.get(self.scope, ""))


def _notices(source: Source | None) -> tuple[str, ...]:
    """A source's notices, and why it is stale."""
    if source is None or source.info is None:
        return ()
    stale = source.error if source.state == "stale" else None
    late = (
        (f"{plain(source.title)} does not answer: {stale.message} It is tried again by itself.",)
        if stale
        else ()
    )
    return (*late, *source.info.notices)
