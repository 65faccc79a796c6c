"""``make screenshots``: the pictures of the docs, drawn by the real window over a fresh demo.

The demo's past is deterministic but for the clock, so pictures differ from one run to the next in times only.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.demo_world import DemoSource

FOLDER = Path(__file__).parent / "screenshots"
SIZE = (1600, 1000)
LIVE_S = 8.0
SHOWN = {
    "dark": (
        "runs", "run", "run_playhead", "run_failed", "run_graph", "failures", "resources",
        "entities", "entity", "entity_failures", "config", "impact",
    ),
    "light": ("runs", "run_playhead", "entities"),
}  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[name] = scratch
        from app.demo import Demo

        demo = Demo(workspace=Path(scratch) / "demo")
        try:
            sources = demo.prepare(progress=lambda done, total, text: None)
            demo.start()
            time.sleep(LIVE_S)
            draw(sources)
        finally:
            demo.stop()


def draw(sources: Sequence[DemoSource]) -> None:
    from app.cli.snapshot import offscreen

    offscreen()
    from PySide6.QtWidgets import QApplication

    from app import appearance
    from app.settings import Settings
    from app.shots import Shooter, shots_of
    from app.window import MainWindow

    app = QApplication(sys.argv[:1])
    for theme in ("dark", "light"):
        appearance.apply(theme)
        window = MainWindow(Settings())
        window.resize(*SIZE)
        window.show()
        shooter = Shooter(window, FOLDER)
        for shown in sources:
            source = shooter.open(shown.url, shown.title)
            wanted = tuple(shot for shot in shots_of(source) if shot.name in SHOWN[theme])
            for path in shooter.shoot(source, f"_{theme}", wanted):
                sys.stdout.write(f"{path}\n")
        window.close()
        app.processEvents()


if __name__ == "__main__":
    main()
