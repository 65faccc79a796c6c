"""Commands of the replay on the run page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.commands import Command

if TYPE_CHECKING:
    from app.run_page import RunPage


def replay_commands(page: RunPage) -> list[Command]:
    """Replay, and walking executed lines (an IDE's keys; with Shift backwards)."""
    replay, pane = page.replay, page.view.code
    able, there = replay.why_not, replay.no_trace
    what_if, questions = replay.what_if, replay.questions

    def line(direction: int, *, over: bool) -> Callable[[], None]:
        return lambda: pane.step_line(direction, over=over)

    def same(direction: int) -> Callable[[], None]:
        return lambda: pane.go_to_line(pane.place[1], direction)

    def leave() -> None:
        replay.show_record()

    def hypothetical() -> str:
        shown = replay.what_if.opened or (replay.recording is not None and replay.recording.hypothetical)
        return able() or ("" if shown else "the record is shown")

    rows: tuple[tuple[str, str, Callable[[], None], tuple[str, ...], Callable[[], str]], ...] = (
        ("replay", "Replay with your code", replay.replay, ("Shift+R",), able),
        ("cancel", "Cancel the replay", replay.cancel, (), able),
        ("project", "Choose the project to replay with", lambda: replay.replay(choose=True), (), able),
        ("on_save", "Replay on every save, or not", replay.changes.toggle, ("Shift+W",), able),
        ("what_if", "What if …", what_if.open, ("W",), what_if.why_not),
        ("record", "Leave the hypothetical replay", leave, ("Shift+Esc",), hypothetical),
        ("questions", "Queries answered at the playhead …", questions.choose, ("Y",), questions.why_not),
        ("debug", "Replay under a debugger", replay.debugging.start, ("Shift+D",), able),
        ("over", "Next line, over calls", line(1, over=True), ("F8",), there),
        ("over_back", "Previous line, over calls", line(-1, over=True), ("Shift+F8",), there),
        ("into", "Next executed line", line(1, over=False), ("F7", "F11"), there),
        ("into_back", "Previous executed line", line(-1, over=False), ("Shift+F7", "Shift+F11"), there),
        ("same_line", "Next step on this line", same(1), ("Ctrl+.",), there),
        ("same_line_back", "Previous step on this line", same(-1), ("Ctrl+,",), there),
        ("output", "Show or hide what the code printed", pane.output.toggle, (), there),
    )
    return [
        Command(f"code.{name}", title, run, keys, when=when, menu="Run", scope=page.name)
        for name, title, run, keys, when in rows
    ]
