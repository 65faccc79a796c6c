"""``playhead snapshot``: the run page as a picture, with or without a display."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.options import source_argument
from app.cli.output import line
from app.cli.session import call, find_run, opened
from app.cli.show import read_history
from engine_bridge.bridge import Capability, Relations
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.history import History
from engine_bridge.model import Run

if TYPE_CHECKING:
    from widgets.run.page import RunView

_THEMES = ("dark", "light", "high_contrast")
_LARGEST = 16_000
_DRAW_S = 60.0


@click.command()
@source_argument
@click.argument("run", required=False)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The PNG file."
)
@click.option(
    "--size", default="1600x1000", show_default=True, metavar="WxH", help="In device-independent pixels."
)
@click.option("--theme", type=click.Choice(_THEMES), default="dark", show_default=True)
@click.option(
    "--scale", type=click.FloatRange(0.5, 4.0), default=1.0, show_default=True, help="Pixels per pixel."
)
@click.option("--at", "position", type=click.IntRange(0), help="Put the playhead on this position.")
def snapshot(
    source: str, run: str | None, output: Path, size: str, theme: str, scale: float, position: int | None
) -> None:
    """Draw the run page of a RUN of SOURCE into a PNG file."""
    width, height = size_of(size)
    with opened(source) as place:
        header = find_run(place, run)
        history = read_history(place, header.ref)
        related = Relations()
        if Capability.RELATIONS in place.info.capabilities:
            related = call(place, "related", header.ref, None, 50)
        offscreen(scale)
        view = draw(
            history.run or header,
            history,
            related,
            lambda key, offset, length: call(place, "payload", key, offset, length),
            theme=theme,
            size=(width, height),
            position=position,
        )
        if not view.grab().save(str(output), "PNG"):
            raise PlayheadError(f"{output} cannot be written.", "Choose another folder, or free some space.")
        view.close()
    line(f"Wrote {output}.")


def size_of(text: str) -> tuple[int, int]:
    """``1600x1000`` as numbers. Raises UsageError."""
    match = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no size.", "Write it as 1600x1000.")
    width, height = int(match[1]), int(match[2])
    if not (200 <= width <= _LARGEST and 200 <= height <= _LARGEST):
        raise UsageError(f"A picture of {width}x{height} cannot be drawn.", f"Each side: 200 to {_LARGEST}.")
    return width, height


def offscreen(scale: float = 1.0) -> None:
    """Makes Qt draw without a display, at a scale. Has no effect once Qt runs."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["QT_SCALE_FACTOR"] = str(scale)
    os.environ["QT_FONT_DPI"] = "96"
    # The platform says of each window that it has no size hints: no news to somebody who wants a picture.
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")


def draw(
    run: Run,
    history: History,
    related: Relations,
    payloads: Callable[[str, int, int], bytes],
    *,
    theme: str,
    size: tuple[int, int],
    position: int | None,
) -> RunView:
    """A run view, fed whole and laid out, ready to be grabbed."""
    from PySide6.QtWidgets import QApplication

    from widgets import theme as themes
    from widgets.run.page import RunView

    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise PlayheadError("Another Qt application without widgets is running in this process.")
    themes.apply(app, theme)
    view = RunView()
    view.resize(*size)
    view.show()
    view.show_run(run, history, relations=related.items, position=position, payloads=payloads)
    deadline = time.monotonic() + _DRAW_S
    for _ in range(5):
        app.processEvents()
    while view.timeline.busy and time.monotonic() < deadline:
        app.processEvents()
    return view
