"""``make screenshots``: the pictures of Temporal, drawn by the window over a real server with the tests' worker."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docs.screenshots import FOLDER, SIZE

if TYPE_CHECKING:
    from app.shots import Shooter
    from app.window import MainWindow

ROOT: Final = Path(__file__).parents[1]
_WAIT_S: Final = 30.0
_STUCK: Final = "export-stuck"
_WAITING: Final = "order-0009"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as ends:
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[name] = scratch
        from tests.engines.temporal.local import LocalServer, LocalWorker, fill

        server = LocalServer(Path(scratch))
        server.start()
        ends.callback(server.stop)
        worker = LocalWorker(server)
        ends.callback(worker.close)
        fill(worker)
        draw(server.url)


def draw(url: str) -> None:
    from app.cli.snapshot import offscreen

    offscreen()
    from PySide6.QtWidgets import QApplication

    from app import appearance
    from app.settings import Settings
    from app.shots import Shooter
    from app.window import MainWindow

    QApplication(sys.argv[:1])
    appearance.apply("dark")
    window = MainWindow(Settings())
    window.resize(*SIZE)
    window.show()
    shooter = Shooter(window, FOLDER)
    _server(shooter, url)
    window.run_command("action.discard")
    _sample(shooter)
    window.close()


def _server(shooter: Shooter, url: str) -> None:
    from app.shots import Shot

    source = shooter.open(url, "shop")
    shots = (
        Shot("temporal_runs", "runs", query="not status == completed"),
        Shot("temporal_run", "run", _STUCK, None, ("run.show_failures",), act=_select_first),
        Shot("temporal_reset", "run", _WAITING, act=_plan_reset),
    )
    for path in shooter.shoot(source, "_dark", shots):
        sys.stdout.write(f"{path}\n")


def _sample(shooter: Shooter) -> None:
    """The history that comes with its code: a replay of it needs no server."""
    from app.shots import Shot

    source = shooter.open(str(ROOT / "resources" / "samples" / "loan"), "loan")
    shots = (Shot("temporal_code", "run", "history", 60, act=_replay),)
    for path in shooter.shoot(source, "_dark", shots):
        sys.stdout.write(f"{path}\n")


def _select_first(window: MainWindow) -> None:
    """Selects the activity that fails."""
    from app.run_page import RunPage

    page = window.router.pages.get("run")
    if isinstance(page, RunPage):
        window.focus.change(step_id=page.feed.history.step(0).id)


def _plan_reset(window: MainWindow) -> None:
    """Plans a reset to the first workflow task; the timeline shows what it drops."""
    window.desk.start("reset")
    form = window.desk.forms.view
    if form is not None:
        form.fields["to"].show_value("first workflow task")
        window.desk.submit()


def _replay(window: MainWindow) -> None:
    """Replays the sample against its code, as somebody does who agrees to run it."""
    from app.replay_consent import ConsentDialog
    from app.run_page import RunPage

    page = window.router.pages.get("run")
    if not isinstance(page, RunPage):
        return
    for command in ("run.show_events", "run.show_code", "code.replay"):
        window.run_command(command)
    _spin(lambda: any(one.run_button.isEnabled() for one in window.findChildren(ConsentDialog)))
    for dialog in window.findChildren(ConsentDialog):
        dialog.accept()
    _spin(lambda: page.replay.record is not None and not page.replay.busy)


def _spin(done: Callable[[], bool]) -> None:
    from PySide6.QtWidgets import QApplication

    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline and not done():
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
