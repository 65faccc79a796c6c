"""``python -m app``, and the installed command ``playhead``. The window opens without a detour through click."""

from __future__ import annotations

import sys

from app.cli.entry import guarded, opens_window


def main() -> None:
    """Exits with 0, 1 (error), 2 (usage) or 130 (interrupted)."""
    args = sys.argv[1:]
    if opens_window(args):
        guarded(lambda: _open(args[0] if args else None))
    else:
        from app.cli.main import main as commands

        commands()


def _open(source: str | None) -> None:
    from app.main import run_window

    sys.exit(run_window(source))


if __name__ == "__main__":
    main()
