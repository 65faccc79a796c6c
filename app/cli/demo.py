"""``playhead demo``: the embedded engine, in the window; without a display, as pictures and a listing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.output import Printer, line
from app.cli.runs import pages, print_runs
from app.cli.session import Progress, opened
from app.demo import Demo
from app.demo_world import DemoSource
from engine_bridge.bridge import Sort
from engine_bridge.errors import PlayheadError

_SHOTS = Path("demo-shots")
_LIVE_S = 6.0


@click.command()
@click.option(
    "--workspace", type=click.Path(file_okay=False, path_type=Path), help="Where the demo's files live."
)
@click.option("--reset", is_flag=True, help="Make its past anew.")
@click.option("--shots", is_flag=True, help="Pictures and a listing even where there is a display.")
def demo(workspace: Path | None, reset: bool, shots: bool) -> None:
    """Open the embedded demo: real applications with weeks of history and live traffic."""
    from app.main import check_display, run_window

    show = Demo(workspace=workspace, reset=reset)
    if not shots:
        try:
            check_display()
        except PlayheadError as error:
            line(f"{error.message} Pictures go to {_SHOTS}/ instead.")
        else:
            sys.exit(run_window(None, show))
    with _running(show) as sources:
        _draw(sources)
        for source in sources:
            _list(source)


@contextmanager
def _running(show: Demo) -> Iterator[Sequence[DemoSource]]:
    """The demo, prepared and working for a few seconds, ended whatever happens."""
    progress = Progress()
    line("Preparing the demo: real engines execute its past. This takes half a minute the first time.")
    try:
        sources = show.prepare(progress=progress)
        progress.clear()
        show.start()
        line("Its workers are live.")
        time.sleep(_LIVE_S)
        yield sources
    finally:
        progress.clear()
        show.stop()


def _draw(sources: Sequence[DemoSource]) -> None:
    from app.cli.snapshot import offscreen
    from app.shots import Shooter

    offscreen()
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.*=false")
    from PySide6.QtWidgets import QApplication

    from app import appearance
    from app.settings import Settings
    from app.window import MainWindow

    app = QApplication(sys.argv[:1])
    appearance.apply("dark")
    window = MainWindow(Settings())
    window.resize(1600, 1000)
    window.show()
    try:
        shooter = Shooter(window, _SHOTS)
        for source in sources:
            opened_source = shooter.open(source.url, source.title)
            for path in shooter.shoot(opened_source):
                line(f"  {path}")
    finally:
        window.close()
        app.processEvents()


def _list(source: DemoSource) -> None:
    line("")
    line(source.title)
    with opened(source.url) as place:
        print_runs(list(pages(place, None, Sort(), 30)), Printer(reveal=False))
