"""What the command line needs before it knows whether it needs click: command names, errors and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Final

from engine_bridge.errors import PlayheadError, UsageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
COMMANDS: Final = {
    "demo": "app.cli.demo:demo",
    "runs": "app.cli.runs:runs",
    "show": "app.cli.show:show",
    "failures": "app.cli.failures:failures",
    "resources": "app.cli.resources:resources",
    "act": "app.cli.act:act",
    "bulk": "app.cli.bulk:bulk",
    "lint": "app.cli.lint:lint",
    "impact": "app.cli.impact:impact",
    "simulate": "app.cli.simulate:simulate",
    "replay": "app.cli.replay:replay",
    "journal": "app.cli.journal:journal",
    "export": "app.cli.bundle:export_",
    "snapshot": "app.cli.snapshot:snapshot",
    "source": "app.cli.source:source",
    "doctor": "app.cli.doctor:doctor",
}
"""Subcommands, with the place of each."""


def opens_window(args: list[str]) -> bool:
    """Whether these arguments do nothing but open the window, maybe on a source: no option, no command."""
    return not args or (len(args) == 1 and not args[0].startswith("-") and args[0] not in COMMANDS)


def guarded(work: Callable[[], object]) -> None:
    """Runs the work of the process. An error becomes one line on stderr and exit code 1, 2 (usage) or 130."""
    _fill_closed_streams()
    try:
        work()
    except UsageError as error:
        fail(str(error), 2)
    except PlayheadError as error:
        fail(str(error), 1)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _drop_output()
        fail(f"What it says cannot be written: {error.strerror}.", 1)


def _fill_closed_streams() -> None:
    """A process that was started with closed streams has none, and the next file it opens would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = os.fdopen(os.open(os.devnull, os.O_RDWR), mode)
            os.set_inheritable(stream.fileno(), True)  # child processes start with the same streams
            setattr(sys, name, stream)


def _drop_output() -> None:
    """Nothing more is written to a full disk: the interpreter would try once more when it ends, and say so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, code: int) -> None:
    """Says on one line of stderr what is wrong, and exits."""
    from engine_bridge.format import plain

    print(f"playhead: {plain(message, 2000)}", file=sys.stderr)  # noqa: T201  stderr is where it belongs
    sys.exit(code)
