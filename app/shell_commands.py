"""The commands that work everywhere, as data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command
from app.pages import PAGES, PageSpec, missing
from app.samples import SAMPLES, Sample
from engine_bridge.focus import Focus
from engine_bridge.words import Environment

if TYPE_CHECKING:
    from app.window import MainWindow

_THEMES = (
    ("system", "Theme: as the Desktop"),
    ("dark", "Theme: Dark"),
    ("light", "Theme: Light"),
    ("high_contrast", "Theme: High Contrast"),
)


def shell_commands(window: MainWindow) -> list[Command]:
    """All of them, in menu order."""
    return [*_file(window), *_go(window), *_pages(window), *_view(window), *_help(window)]


def _file(window: MainWindow) -> list[Command]:
    actions = window.actions_of_sources

    def open_sample(sample: Sample) -> None:
        actions.open(str(sample.path), title=sample.title)

    return [
        Command("source.connect", "Connect …", actions.connect, ("Ctrl+N",), menu="File", icon="database"),
        Command("source.open", "Open File …", actions.choose_file, ("Ctrl+O",), menu="File", icon="file"),
        Command("app.demo", "Open the Demo", actions.demo, when=actions.no_demo, menu="File", icon="demo"),
        *(
            Command(
                f"sample.{sample.id}",
                f"Open the Sample: {sample.title}",
                partial(open_sample, sample),
                sample.keys,
                menu="File",
                icon="timeline",
            )
            for sample in SAMPLES
        ),
        Command(
            "demo.kill", "Kill the Demo's Workers", actions.kill_demo, when=actions.no_worker, menu="File"
        ),
        *_sources(window),
        Command("app.quit", "Quit", lambda: _quit(window), ("Ctrl+Q",), menu="File"),
    ]


def _sources(window: MainWindow) -> list[Command]:
    actions = window.actions_of_sources

    def focused() -> str:
        return "" if window.router.source() else "no source is chosen"

    def opened() -> str:
        source = window.router.source()
        return "" if source and source.state not in ("closed", "failed") else "no open source is chosen"

    def closed() -> str:
        source = window.router.source()
        return "" if source and source.state in ("closed", "failed") else "no closed source is chosen"

    def unsaved() -> str:
        source = window.router.source()
        return focused() or ("it is saved already" if source and source.saved else "")

    one = actions.focused
    names = ("development", "test", "production")
    environments = zip(names, map(actions.set_environment, Environment), strict=True)
    return [
        Command("source.reopen", "Open Source Again", one(actions.retry), when=closed, menu="File"),
        Command("source.password", "Enter Password …", one(actions.ask_password), when=closed, menu="File"),
        Command("source.codec", "Codec Server …", one(actions.codec), when=actions.no_codec, menu="File"),
        Command("source.save", "Save Source as …", one(actions.save), when=unsaved, menu="File", icon="save"),
        Command(
            "source.rename", "Rename Source …", one(actions.rename), when=focused, menu="File", icon="edit"
        ),
        *(
            Command(
                f"source.{name}", f"Mark Source as {name.capitalize()}", one(run), when=focused, menu="File"
            )
            for name, run in environments
        ),
        Command(
            "source.copy_url",
            "Copy Source's URL",
            one(actions.copy_url),
            when=focused,
            menu="File",
            icon="copy",
        ),
        Command(
            "source.close", "Close Source", one(actions.close), ("Ctrl+W",), opened, "File", icon="close"
        ),
        Command(
            "source.remove", "Remove Source", one(actions.remove), when=focused, menu="File", icon="trash"
        ),
    ]


def _quit(window: MainWindow) -> None:
    window.close()


def _go(window: MainWindow) -> list[Command]:
    focus = window.focus

    def back() -> str:
        return "" if focus.can_go_back else "there is nothing to go back to"

    def forward() -> str:
        return "" if focus.can_go_forward else "there is nothing ahead"

    return [
        Command(
            "app.quick_open",
            "Go to …",
            lambda: window.overlays.quick_open(),
            ("Ctrl+P",),
            menu="Go",
            icon="search",
        ),
        Command("focus.back", "Back", focus.back, ("Alt+Left",), back, "Go", icon="back"),
        Command("focus.forward", "Forward", focus.forward, ("Alt+Right",), forward, "Go", icon="forward"),
        Command(
            "go.welcome", "Welcome", lambda: focus.set(Focus()), ("Alt+Home",), menu="Go", icon="welcome"
        ),
        Command("go.sources", "Sources Panel", window.panel.setFocus, ("Ctrl+0",), menu="Go"),
        Command("go.page", "Page", window.focus_page, ("F6",), menu="Go"),
    ]


def _pages(window: MainWindow) -> list[Command]:
    # Pages that only some sources have come last, so that the others keep their keys.
    titled = sorted((spec for spec in PAGES if spec.title), key=lambda spec: spec.quiet)
    return [_page(window, spec, number) for number, spec in enumerate(titled, 1)]


def _page(window: MainWindow, spec: PageSpec, number: int) -> Command:
    def run() -> None:
        window.focus.set(Focus(page=spec.name, source=window.focus.current.source))

    def when() -> str:
        return missing(spec, window.router.source())

    return Command(f"go.{spec.name}", spec.title, run, (f"Ctrl+{number}",), when, "Go", icon=spec.icon)


def _view(window: MainWindow) -> list[Command]:
    settings, actions = window.settings, window.actions_of_sources

    def set_theme(name: str) -> None:
        settings.set("theme", name)

    def zone() -> None:
        settings.set("zone", "utc" if settings.get("zone") == "local" else "local")

    def panel() -> None:
        settings.set("panel_shown", not settings.get("panel_shown"))
        window.panel.setVisible(bool(settings.get("panel_shown")))

    def on_page() -> str:
        return "" if window.router.scope else "no page is shown"

    def filtered() -> str:
        return "" if window.focus.current.query else "there is no filter to save"

    themes: list[Callable[[], None]] = [partial(set_theme, name) for name, _ in _THEMES]
    return [
        Command("view.refresh", "Refresh", window.router.refresh, ("F5",), on_page, "View", icon="refresh"),
        Command(
            "view.save",
            "Save Filter as View …",
            actions.save_view,
            ("Ctrl+D",),
            filtered,
            "View",
            icon="save",
        ),
        Command("view.panel", "Show or Hide Sources", panel, ("Ctrl+B",), menu="View"),
        *(
            Command(f"view.theme_{name}", title, run, menu="View", icon="palette")
            for (name, title), run in zip(_THEMES, themes, strict=True)
        ),
        Command(
            "view.zone", "Switch Time Zone: Local or UTC", zone, ("Ctrl+Shift+Z",), menu="View", icon="clock"
        ),
        Command("view.dismiss", "Dismiss Errors", lambda: _dismiss(window), ("Ctrl+Shift+X",), menu="View"),
    ]


def _dismiss(window: MainWindow) -> None:
    if not window.bars.dismiss_errors():
        window.notify("There are no errors to dismiss.")


def _help(window: MainWindow) -> list[Command]:
    return [
        Command(
            "app.palette",
            "Run a Command …",
            lambda: window.overlays.palette(),
            ("Ctrl+Shift+P",),
            menu="Help",
            icon="search",
        ),
        Command(
            "app.keys", "Keys", lambda: window.overlays.key_sheet(), ("?",), menu="Help", icon="keyboard"
        ),
        Command(
            "app.docs", "Documentation", lambda: window.overlays.docs(), ("F1",), menu="Help", icon="help"
        ),
        Command("app.menu", "Menu", window.top_bar.menu_button.showMenu, ("F10",)),
        Command("app.about", "About Playhead", lambda: window.overlays.about(), menu="Help", icon="info"),
    ]
