"""The click group. ``playhead [SOURCE]`` opens the window; everything else is a subcommand, imported on use.

Errors are one line on stderr: exit code 1, or 2 for usage.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from app.cli.entry import COMMANDS, fail, guarded
from engine_bridge.format import plain


class _LazyGroup(click.Group):
    """Imports a subcommand when it is asked for; any other first word is a source for the window."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, name = target.split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((a for a in args if not a.startswith("-")), None)
        if first is not None and first not in COMMANDS:
            at = args.index(first)
            ctx.obj = first
            args = args[:at] + args[at + 1 :]
        return super().parse_args(ctx, args)


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="[OPTIONS]",
    subcommand_metavar="[SOURCE] | COMMAND …",
)
@click.version_option(package_name="playhead", prog_name="playhead")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Playhead, a desktop debugger for durable workflows.

    SOURCE is a URL, a file, or a saved name (@prod); `playhead doctor` lists the kinds of URL.
    Without a command the window opens. Passwords come from the keyring, PGPASSFILE or the environment.
    """
    if ctx.invoked_subcommand is None:
        from app.main import run_window

        sys.exit(run_window(ctx.obj))
    if ctx.obj is not None:
        raise click.UsageError(f"No command {plain(ctx.obj)!r}. A source comes after the command.")


def main(args: list[str] | None = None) -> Any:
    """The command line. Exits with 0, 1 (error), 2 (usage) or 130 (interrupted)."""
    guarded(lambda: _run(args))


def _run(args: list[str] | None) -> None:
    try:
        cli.main(args, "playhead", standalone_mode=False)
    except click.exceptions.Abort:
        fail("Interrupted.", 130)
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" See `{error.ctx.command_path} --help`."
        fail(error.format_message() + hint, error.exit_code)
