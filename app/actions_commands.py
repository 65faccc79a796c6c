"""The commands of operator actions. Those of single actions run whatever action of that id the source offers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from app.commands import Command

if TYPE_CHECKING:
    from app.actions_desk import Desk

#: Action id, title, keys, glyph: what engines call their common actions. Others are reached by ``action.choose``.
VERBS: Final = (
    ("signal", "Send a Signal …", ("Ctrl+Shift+S",), "signal"),
    ("cancel", "Cancel …", ("Ctrl+Shift+K",), "cancelled"),
    ("resume", "Resume", ("Ctrl+Shift+U",), "running"),
    ("fork", "Fork from Here …", ("Ctrl+Shift+F",), "fork"),
    ("rewind", "Rewind …", (), "back"),
    ("delete", "Delete …", (), "trash"),
    ("set_delay", "Change the Delay …", (), "clock"),
    ("enqueue_like", "Enqueue One like This …", (), "queue"),
    ("pause_queue", "Pause Queue", (), "paused"),
    ("resume_queue", "Resume Queue", (), "running"),
    ("pause_schedule", "Pause Schedule", (), "paused"),
    ("resume_schedule", "Resume Schedule", (), "running"),
)


def action_commands(desk: Desk) -> list[Command]:
    """All of them, in menu order."""
    return [
        *_lock(desk),
        *_verbs(desk),
        *_draft(desk),
        *_plan(desk),
        *_execution(desk),
        *_bulk(desk),
        *_export(desk),
    ]


def _lock(desk: Desk) -> list[Command]:
    locks, make = desk.locks, partial(Command, menu="Actions")
    return [
        make("source.unlock", "Unlock Source …", locks.unlock, ("Ctrl+L",), locks.no_unlock, icon="unlock"),
        make("source.lock", "Lock Source Now", locks.lock, ("Ctrl+Shift+L",), locks.no_lock, icon="lock"),
    ]


def _verbs(desk: Desk) -> list[Command]:
    def none() -> str:
        return desk.offered.reason

    verbs = [
        Command(
            f"action.{action}",
            title,
            partial(desk.start, action),
            keys,
            partial(desk.why_not, action),
            "Actions",
            icon=glyph,
        )
        for action, title, keys, glyph in VERBS
    ]
    choose = Command(
        "action.choose", "Choose an Action …", desk.choose, ("A",), none, "Actions", icon="operator"
    )
    whole = Command(
        "action.source", "Start a Workflow, Act on the Source …", desk.choose_whole, ("Ctrl+Shift+N",), desk.no_whole,
        "Actions", icon="operator",
    )  # fmt: skip
    return [choose, whole, *verbs]


def _draft(desk: Desk) -> list[Command]:
    make = partial(Command, menu="Actions")
    return [
        make(
            "action.review",
            "Review Staged Actions",
            desk.open_review,
            ("Ctrl+E",),
            desk.no_review,
            icon="operator",
        ),
        make(
            "action.undo",
            "Undo Last Staging",
            desk.undo_staging,
            ("Ctrl+Z",),
            desk.no_undo_staging,
            icon="back",
        ),
        make("action.discard", "Discard Staged Actions", desk.discard, when=desk.no_staged, icon="trash"),
    ]


def _plan(desk: Desk) -> list[Command]:
    make = partial(Command, menu="Actions", when=desk.no_plan)
    copies = [
        make(f"action.copy_{kind.lower()}", f"Copy Plan as {kind}", partial(desk.copy_as, kind), icon="copy")
        for kind in ("SQL", "CLI", "Python")
    ]
    return [
        make("action.submit", "Plan or Execute What the Sheet Shows", desk.submit, ("Ctrl+Return",)),
        Command(
            "action.rehearse",
            "Dry Run of What the Form Holds",
            lambda: desk.forms.rehearse(),
            ("Ctrl+Shift+Return",),
            lambda: no_rehearsal(desk),
            menu="Actions",
            icon="fork",
        ),
        make("action.execute", "Execute the Plan", lambda: desk.review.execute(), icon="send"),
        *copies,
    ]


def no_rehearsal(desk: Desk) -> str:
    """Why there is no dry run now; "" when there is one."""
    page = desk.sheet_page()
    if page is None or page is not desk.forms.view:
        return "no form of an action is open"
    return desk.forms.no_rehearsal()


def _execution(desk: Desk) -> list[Command]:
    make = partial(Command, menu="Actions")
    return [
        make(
            "action.stop", "Cancel What Is Being Executed", desk.cancel, when=desk.not_busy, icon="cancelled"
        ),
        make("action.revert", "Undo What Was Just Executed …", desk.revert, when=desk.no_revert, icon="back"),
        make("action.close", "Close the Sheet", desk.close_sheet, when=desk.no_sheet, icon="close"),
    ]


def _bulk(desk: Desk) -> list[Command]:
    make = partial(Command, menu="Actions")
    runs = desk.bulk_runs
    return [
        make(
            "action.matching",
            "Act on All Matching Runs …",
            desk.choose_matching,
            ("Shift+A",),
            desk.no_matching,
        ),
        make("bulk.unfinished", "Unfinished Bulk Jobs …", desk.unfinished.choose, when=desk.unfinished.none),
        make("bulk.show", "Show the Bulk Job", lambda: runs().show(), when=desk.no_job, icon="operator"),
        make("bulk.pause", "Pause the Bulk Job", lambda: runs().pause(), when=desk.no_running, icon="paused"),
        make(
            "bulk.resume",
            "Go On with the Bulk Job",
            lambda: runs().resume(),
            when=desk.no_rest,
            icon="running",
        ),
        make(
            "bulk.stop",
            "Stop the Bulk Job for Good",
            lambda: runs().cancel(),
            when=desk.no_job,
            icon="cancelled",
        ),
    ]


def _export(desk: Desk) -> list[Command]:
    make = partial(Command, menu="Actions", icon="export")

    def none() -> str:
        return desk.exports.none()

    return [
        make(
            "action.export", "Export Runs to a File …", lambda: desk.exports.start(), ("Ctrl+Shift+E",), none
        ),
        make(
            "action.export_raw",
            "Export Runs Raw, with Secrets …",
            lambda: desk.exports.start(raw=True),
            when=none,
        ),
    ]
