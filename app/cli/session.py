"""Opening a source from the command line, waiting with progress, and asking for a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from typing import Any, Final

import click

from app import secrets
from app.opening import Opened, Target, open_session, target_of
from app.saved import Saved
from engine_bridge.bridge import Sort
from engine_bridge.errors import AuthError, NotFoundError, UsageError
from engine_bridge.format import plain
from engine_bridge.model import Run
from engine_bridge.session import Call

_QUIET_S: Final = 0.2
_AGAIN_S: Final = 0.05
_BAR: Final = 24


class Progress:
    """One line on a terminal's stderr for what lasts longer than 200 ms; nothing when it is not a terminal."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _QUIET_S
        self._shown = False
        self._on = sys.stderr.isatty()

    def __call__(self, done: int, total: int | None, text: str) -> None:
        if self._on and time.monotonic() > self._due:
            share = f"{_bar(done / total)} {done} of {total}" if total else str(done) if done else ""
            click.echo(f"\r\x1b[K{plain(text)} {share}", err=True, nl=False)
            self._shown, self._due = True, time.monotonic() + _AGAIN_S

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def _bar(share: float) -> str:
    full = round(_BAR * min(max(share, 0), 1))
    return "━" * full + "─" * (_BAR - full)


def wait(call: Call) -> Any:
    """The result of a call; Ctrl+C cancels it."""
    try:
        while True:
            try:
                return call.result(0.2)
            except NotYet:
                if call.done:
                    raise
    except KeyboardInterrupt:
        call.cancel()
        raise


@contextmanager
def opened(text: str) -> Iterator[Opened]:
    """An open source of the command line's SOURCE argument; asks for a password on a terminal only."""
    progress = Progress()
    target = target_of(text, Saved())
    try:
        source = _open(target, progress)
    finally:
        progress.clear()
    for notice in source.info.notices:
        click.echo(f"playhead: {plain(notice)}", err=True)
    try:
        yield source
    finally:
        source.session.close()


def _open(target: Target, progress: Progress) -> Opened:
    try:
        return open_session(target, progress, _ignore)
    except AuthError:
        if not sys.stdin.isatty():
            raise
    progress.clear()
    typed = click.prompt(f"Password for {plain(target.title)}", hide_input=True, err=True)
    again = Target(target.url, target.title, target.environment, secrets.Secret(typed))
    return open_session(again, progress, _ignore)


def _ignore(call: Call) -> None:
    """Ctrl+C raises in the waiting call itself, so nobody needs the calls of opening."""


def call(source: Opened, method: str, *args: Any) -> Any:
    """Calls a bridge method and waits, showing progress."""
    progress = Progress()
    try:
        return wait(source.session.call(method, *args, on_progress=progress))
    finally:
        progress.clear()


def find_run(source: Opened, run_id: str | None) -> Run:
    """The run of an id or of its unambiguous beginning; without one, the only run of the source.

    Raises NotFoundError, and UsageError naming candidates when there are several.
    """
    if run_id is None:
        page = call(source, "runs", None, Sort(), None, "forward", 2)
        if len(page.items) == 1:
            return _full(source, page.items[0])
        if not page.items:
            raise NotFoundError("This source holds no runs.")
        raise UsageError(
            "This source holds more than one run.", "Name one; `playhead runs SOURCE` lists them."
        )
    found = _found(source, run_id)
    exact = [run for run in found if run.id == run_id]
    if len(exact) == 1 or len(found) == 1:
        return _full(source, (exact or found)[0])
    if not found:
        raise NotFoundError(f"No run {plain(run_id)!r}.", "`playhead runs SOURCE` lists them.")
    if len(exact) > 1:
        names = ", ".join(plain(run.ref.run, 60) for run in exact[:5])
        raise UsageError(f"{plain(run_id)!r} has several runs: {names}.", "Name one of them.")
    names = ", ".join(plain(run.id, 60) for run in found[:5])
    raise UsageError(f"Several runs begin with {plain(run_id)!r}: {names}.", "Give more of the id.")


def find_exactly(source: Opened, run_id: str) -> Run:
    """The run of a whole id, of type/id, or of a run id: what is written to is never guessed.

    Raises NotFoundError naming what begins like it, UsageError where several runs have that id.
    """
    found = _found(source, run_id)
    whole = [run for run in found if run_id in (run.id, f"{run.type}/{run.id}", str(run.ref))]
    if len(whole) > 1:
        typed = {f"{run.type}/{run.id}" for run in whole}
        told = typed if len(typed) == len(whole) else {f"{run.ref} ({run.status_words})" for run in whole}
        names = ", ".join(plain(one, 60) for one in sorted(told))
        raise UsageError(f"Several runs have the id {plain(run_id)!r}.", f"Say which: {names}.")
    if whole:
        return _full(source, whole[0])
    near = ", ".join(plain(run.id, 60) for run in found[:5])
    hint = f"Beginning like it: {near}." if near else "`playhead runs SOURCE` lists them."
    raise NotFoundError(f"No run {plain(run_id)!r}.", hint)


def _found(source: Opened, run_id: str) -> list[Run]:
    """Runs whose id is like this one. Bytes that are no text are in no id."""
    if not run_id.isascii() and any("\ud800" <= letter <= "\udfff" for letter in run_id):
        return []
    found: list[Run] = call(source, "find", run_id, 6)
    return found


def _full(source: Opened, run: Run) -> Run:
    full: Run = call(source, "run", run.ref)
    return full
